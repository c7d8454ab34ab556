import json
from functools import partial

import numpy as np
import optax
import pytest

import jssl
from jssl import data, evals, methods, nn, pretext, texts
from jssl.texts import Reader

KINDS = ("truth", "guess", "right")
LINES = ["the walker was walking to the town", "a talker is talking, and the town is quiet"]


@pytest.fixture(scope="module")
def wordpiece():
    return data.text.train_wordpiece(LINES * 20, size=60)


def row(tokenizer, text, length):
    source = data.text.encoded([text], tokenizer, length)
    return source[0]["tokens"]


def test_pieces_join_to_the_text_and_padding_is_left_out(wordpiece):
    special = wordpiece.special
    original = row(wordpiece, LINES[0], 40)
    gaps, filled = original.copy(), original.copy()
    places = np.flatnonzero(original != special.pad)[1:-1]
    masked, wrong, exchanged = places[0], places[2], places[4]
    gaps[[masked, wrong]] = special.mask
    gaps[exchanged] = original[masked]
    filled[[wrong, exchanged]] = original[masked]
    pieces = Reader(wordpiece, special.pad).pieces(gaps, filled, original)
    assert "".join(piece["text"] for piece in pieces) == f"[CLS] {LINES[0]} [SEP]"
    assert [piece["text"].strip() for piece in pieces if "special" in piece] == ["[CLS]", "[SEP]"]
    hidden = [piece for piece in pieces if "guess" in piece]
    assert [piece["guess"].strip() for piece in hidden] == [hidden[0]["text"].strip()] * 3
    assert ["seen" in piece for piece in hidden] == [False, False, True]


def test_pieces_of_words_are_joined(wordpiece):
    original = row(wordpiece, "walking", 12)
    (inner,) = np.flatnonzero([piece.startswith("##") for piece in np.array(wordpiece.pieces)[original]])[:1]
    gaps, filled = original.copy(), original.copy()
    gaps[inner] = wordpiece.special.mask
    pieces = Reader(wordpiece, wordpiece.special.pad).pieces(gaps, filled, original)
    (hidden,) = [piece for piece in pieces if "guess" in piece]
    assert hidden["guess"] == hidden["text"] == wordpiece.pieces[original[inner]].removeprefix("##")


def test_entities_are_right_with_kind_and_both_ends(wordpiece):
    words = ["the", "walker", "was", "quiet", "talking", "town"]
    true = ["O", "B-person", "O", "B-group", "I-group", "B-location"]
    said = ["O", "B-person", "B-group", "B-group", "O", "B-group"]
    names = sorted({*true, *said})
    source = data.text.tagged([words], [[names.index(tag) for tag in true]], wordpiece, 40)
    row, labels = source[0]["tokens"], source[0]["labels"]
    guesses = np.full(len(row), names.index("B-location"))
    guesses[labels >= 0] = [names.index(tag) for tag in said]
    (pieces,) = texts.tag_texts(Reader(wordpiece), row[None], guesses[None], labels[None], names)
    assert "".join(piece["text"] for piece in pieces) == " ".join(words)
    found = [(piece["text"].strip(), *(piece.get(name) for name in KINDS)) for piece in pieces]
    assert found == [
        ("the", None, None, None),
        ("walker", "person", "person", True),
        ("was", None, "group", False),
        ("quiet", "group", "group", False),
        ("talking", "group", None, False),
        ("town", "location", "group", False),
    ]


def test_texts_without_entities_are_left_out(wordpiece):
    names = ("B-person", "O")
    source = data.text.tagged([["town"], ["walker"], ["quiet"]], [[1], [0], [1]], wordpiece, 16)
    rows, labels = (np.stack([source[i][name] for i in range(3)]) for name in ("tokens", "labels"))
    guesses = np.ones_like(rows)
    guesses[2] = 0
    drawn = texts.tag_texts(Reader(wordpiece), rows, guesses, labels, names)
    assert [[piece["text"] for piece in row] for row in drawn] == [["walker"], ["quiet"]]
    assert texts.tag_texts(Reader(wordpiece), rows[:1], guesses[:1], labels[:1], names) == []


def test_an_unknown_word_at_the_end_is_drawn(wordpiece):
    names = ("B-person", "O")
    source = data.text.tagged([["the", "☃"]], [[1, 0]], wordpiece, 16)
    row, labels = source[0]["tokens"], source[0]["labels"]
    assert row[labels == 0].tolist() == [wordpiece.special.unk]
    (pieces,) = texts.tag_texts(Reader(wordpiece), row[None], np.ones_like(row)[None], labels[None], names)
    assert pieces == [
        {"text": "the"},
        {"text": " [UNK]", "truth": "person", "guess": None, "right": False},
    ]


@pytest.mark.parametrize(
    ("names", "tags"), [(("O", "B-a", "I-a"), True), (("negative", "positive"), False), ((), False)]
)
def test_classes_that_are_tags_of_entities(names, tags):
    assert texts.are_tags(names) == tags


@pytest.mark.parametrize(
    "tokenizer",
    [
        data.text.character_tokenizer(["naïve café"], special=True),
        data.text.byte_tokenizer(),
        data.text.train_bpe(["naïve café"] * 9, size=270),
        data.text.train_unigram(["naïve café and so on"] * 9, size=40),
    ],
    ids=["characters", "bytes", "bpe", "unigram"],
)
def test_any_tokenizer(tokenizer):
    original = tokenizer.encode("naïve café")
    gaps = original.copy()
    gaps[::2] = tokenizer.encode("a")[-1]
    pieces = Reader(tokenizer).pieces(gaps, original, original)
    # Where a character's bytes are parted, each part is shown as what it is alone.
    if tokenizer.decode(original[:3]).isalpha() and tokenizer.size != data.text.byte_tokenizer().size:
        assert "".join(piece["text"] for piece in pieces) == tokenizer.decode(original)
    assert all(piece["guess"] == piece["text"] for piece in pieces if "guess" in piece)


def test_a_row_is_read_without_special_tokens_and_cut(wordpiece):
    reader = Reader(wordpiece, wordpiece.special.pad)
    tokens = row(wordpiece, LINES[0], 50)
    assert reader.read(tokens) == LINES[0]
    assert reader.read(tokens, most=11) == "the walker…"
    assert reader.read(np.full(4, wordpiece.special.pad)) == ""


def test_the_file(tmp_path, wordpiece):
    tokens = np.stack([row(wordpiece, line, 50) for line in LINES])
    shown = {"masked words": np.stack([tokens, tokens, tokens], axis=1), "views": np.zeros((2, 2, 4, 4, 1))}
    texts.write_texts(tmp_path, Reader(wordpiece, wordpiece.special.pad), shown, tokens)
    content = json.loads((tmp_path / "texts.json").read_text())
    assert content["examples"] == LINES
    assert list(content["hidden"]) == ["masked words"]
    assert len(content["hidden"]["masked words"]) == 2


def test_the_page_of_a_run_with_classes(tmp_path, wordpiece):
    lines = [LINES[place % 2] + " now" * (place % 3) for place in range(32)]
    labels = [place % 2 for place in range(32)]
    rows = data.text.encoded(lines, wordpiece, 40, labels)
    special = wordpiece.special
    mask = partial(
        pretext.text.mask_tokens,
        rate=0.2,
        mask_id=special.mask,
        vocab_size=wordpiece.size,
        special=wordpiece.special_ids,
    )
    encoder = nn.text_transformer(wordpiece.size, 16, 1, 2, max_length=40, **nn.BERT)
    experiment = jssl.Experiment(
        name="words",
        data=data.DataSet(rows, rows, ("walks", "talks")),
        method=methods.mlm(encoder=encoder, head=nn.masked_head(), mask=mask, pad=special.pad),
        optimizer=optax.adam(1e-2),
        steps=2,
        batch_size=8,
        evals=(evals.knn(k=3),),
        inputs="tokens",
        pad=special.pad,
        tokenizer=wordpiece,
    )
    jssl.run(experiment, run_dir=tmp_path, mesh="data=1")
    page = (tmp_path / "report.html").read_text()
    for part in ("masked-words", "nearest-neighbours", "map-of-the-embeddings", "confusion"):
        assert f'id="{part}"' in page
    assert "could not be read" not in page
    assert "is neither rows of images nor scores" not in page
    content = json.loads((tmp_path / "texts.json").read_text())
    assert content["examples"] == lines
    for row, line in zip(content["hidden"]["masked words"], lines[:1], strict=False):
        assert "".join(piece["text"] for piece in row) == f"[CLS] {line} [SEP]"
        assert any("guess" in piece for piece in row)
