"""Rows: no token is lost or moved, padding is where it belongs, and loaders resume in mid-epoch."""

import itertools
import pickle

import numpy as np
import pytest

from jssl import data
from jssl.data import text
from jssl.data.source import fetch
from tests.data.text.corpora import LINES, bpe, verses, wordpiece


def table(source) -> dict[str, np.ndarray]:
    return data.as_arrays(source)


def framed(tokenizer: text.Tokenizer, given: str) -> list[int]:
    return [tokenizer.special.cls, *tokenizer.encode(given).tolist(), tokenizer.special.sep]


def letters(special: bool = True) -> text.Tokenizer:
    return text.character_tokenizer(["abcdefghijklmnopqrstuvwxyz "], special=special)


def test_one_text_a_row_with_its_label():
    tokenizer = wordpiece()
    rows = text.encoded(LINES, tokenizer, 12, labels=np.arange(6))
    batch = table(rows)
    assert {name: values.dtype for name, values in batch.items()} == dict.fromkeys(batch, np.dtype(np.int32))
    for place, line in enumerate(LINES):
        ids = framed(tokenizer, line)
        expected = ids if len(ids) <= 12 else [*ids[:11], tokenizer.special.sep]
        assert batch["tokens"][place].tolist() == expected + [0] * (12 - len(expected))
        assert batch["segments"][place].tolist() == [1] * len(expected) + [0] * (12 - len(expected))
    assert batch["label"].tolist() == list(range(6))
    assert "label" not in text.encoded(LINES, tokenizer, 12)[0]
    assert text.encoded(["a"], tokenizer, 4, labels=[0.5])[0]["label"].dtype == np.float32


def test_a_tokenizer_without_cls_ends_texts_and_pads_with_the_same():
    tokenizer = bpe()
    tokens = text.encoded(["God", "God saw the light"], tokenizer, 4)
    god = tokenizer.encode("God").tolist()
    assert tokens[0]["tokens"].tolist() == god + [0] * (4 - len(god))
    assert tokens[0]["segments"].sum() == len(god) + 1
    assert tokens[1]["tokens"][-1] == 0


def test_texts_that_are_too_long_are_refused_on_request():
    with pytest.raises(ValueError, match=r"at most 6 tokens .*got 9 in text 1: take longer rows"):
        text.encoded(["abc", "abcdefghi", "abcdefg"], letters(), 8, truncate=False)
    assert len(text.encoded(["abcdef"], letters(), 8, truncate=False)) == 1


def test_what_cannot_be_rows_is_refused():
    for rows in (text.encoded, text.packed, text.split):
        with pytest.raises(ValueError, match="at least one text, got"):
            rows([], letters(), 8)
        with pytest.raises(ValueError, match="list of at least one text, got 'abc'"):
            rows("abc", letters(), 8)
        with pytest.raises(ValueError, match=r"expected a length of \d tokens or more, got 0"):
            rows(["abc"], letters(), 0)
    for rows in (text.encoded, text.packed):
        with pytest.raises(ValueError, match="length of 3 tokens or more, got 2"):
            rows(["abc"], letters(), 2)
        with pytest.raises(ValueError, match="token for padding"):
            rows(["abc"], letters(special=False), 8)
    with pytest.raises(ValueError, match="label for each of 1 texts"):
        text.encoded(["abc"], letters(), 8, labels=[1, 2])
    with pytest.raises(ValueError, match="at least the 8 tokens of a row, got 4 in all"):
        text.split(["abc"], letters(), 8)
    with pytest.raises(ValueError, match="got empty ones only"):
        text.packed(["", ""], letters(), 8)
    with pytest.raises(ValueError, match="at least the 4 tokens of a row, got 3"):
        text.windows(np.arange(3), 4)


def test_split_is_the_whole_corpus_in_order():
    tokenizer = letters()
    rows = text.split(["abcd", "", "efghij", "kl"], tokenizer, 4)
    stream = [
        i for given in ("abcd", "efghij", "kl") for i in (*tokenizer.encode(given), tokenizer.special.eos)
    ]
    assert table(rows)["tokens"].reshape(-1).tolist() == stream[: len(stream) // 4 * 4]
    assert set(rows[0]) == {"tokens"}
    plain = text.split(["abcd", "ef"], letters(special=False), 3)
    assert table(plain)["tokens"].tolist() == [[1, 2, 3], [4, 5, 6]]


def test_windows_start_everywhere_without_a_copy():
    ids = letters().encode("abcdefg")
    rows = text.windows(ids, 3)
    assert len(rows) == 5
    np.testing.assert_array_equal(table(rows)["tokens"], [ids[i : i + 3] for i in range(5)])
    np.testing.assert_array_equal(rows[-1]["tokens"], ids[4:])
    assert rows.ids is ids
    assert text.windows(ids.astype(np.uint16), 3)[0]["tokens"].dtype == np.int32


def naive_first_fit(lengths, capacity):
    room, rows = [], []
    for length in lengths:
        row = next((r for r, left in enumerate(room) if left >= length), len(room))
        room += [capacity] * (row == len(room))
        room[row] -= length
        rows.append(row)
    return rows


@pytest.mark.parametrize("num", [1, 2, 3, 8, 9, 500])
@pytest.mark.parametrize("largest", [3, 10])
def test_first_fit_is_first_fit(num, largest):
    lengths = np.random.default_rng(num).integers(1, largest + 1, num)
    assert text.first_fit(lengths, 10).tolist() == naive_first_fit(lengths, 10)


@pytest.mark.parametrize("make", [wordpiece, bpe])
def test_packed_rows_hold_each_document_once_and_whole(make):
    tokenizer = make()
    documents = verses(200)
    rows = table(text.packed(["", *documents], tokenizer, 160))
    found = []
    for tokens, segments in zip(rows["tokens"], rows["segments"], strict=True):
        real = int((segments > 0).sum())
        assert (segments[real:] == 0).all()
        assert (tokens[real:] == 0).all()
        runs = [(number, len(list(run))) for number, run in itertools.groupby(segments[:real].tolist())]
        assert [number for number, _ in runs] == list(range(1, len(runs) + 1))
        found += [tuple(tokens[segments == number].tolist()) for number, _ in runs]
    if tokenizer.special.cls is None:
        expected = [(*tokenizer.encode(d).tolist(), tokenizer.special.eos) for d in documents]
    else:
        expected = [tuple(framed(tokenizer, d)) for d in documents]
    assert all(len(ids) <= 160 for ids in expected)
    assert sorted(found) == sorted(expected)
    assert (rows["segments"] > 0).mean() > 0.9


def test_long_documents_are_cut_into_pieces():
    tokenizer = letters()
    cls, sep = tokenizer.special.cls, tokenizer.special.sep
    rows = table(text.packed(["abcdefgh", "i"], tokenizer, 5))
    assert rows["tokens"].tolist() == [
        [cls, *tokenizer.encode("abc"), sep],
        [cls, *tokenizer.encode("def"), sep],
        [cls, *tokenizer.encode("gh"), sep, 27],
        [cls, *tokenizer.encode("i"), sep, 27, 27],
    ]
    assert rows["segments"].max() == 1
    causal = bpe()
    ids = [*causal.encode(LINES[0]).tolist(), causal.special.eos]
    pieces = table(text.packed([LINES[0]], causal, 10))
    assert pieces["tokens"][pieces["segments"] > 0].tolist() == ids


def test_passages_are_whole_sentences_of_one_document():
    tokenizer = letters()
    documents = [["abc", "de", "f"], [], ["", "ghij", "k"], ["lmnopqrstu", "v"]]
    rows = table(text.passages(documents, tokenizer, 5))
    pad = tokenizer.special.pad
    spelled = [
        "".join(" " if i == pad else tokenizer.decode([i]) for i in row).rstrip() for row in rows["tokens"]
    ]
    assert spelled == ["abcde", "f", "ghijk", "lmnop", "qrstu", "v"]
    assert rows["sentences"].tolist() == [
        [1, 1, 1, 2, 2],
        [1, 0, 0, 0, 0],
        [1, 1, 1, 1, 2],
        [1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1],
        [1, 0, 0, 0, 0],
    ]
    assert rows["document"].tolist() == [0, 0, 2, 3, 3, 3]
    np.testing.assert_array_equal(rows["segments"], rows["sentences"] > 0)
    with pytest.raises(ValueError, match="lists of sentences, got strings"):
        text.passages(["abc"], tokenizer, 5)
    with pytest.raises(ValueError, match="at least one text"):
        text.passages([[]], tokenizer, 5)


def test_passages_of_the_bible_lose_nothing():
    chapters = text.web_bible().train[:30]
    tokenizer = wordpiece()
    rows = table(text.passages(chapters, tokenizer, 61))
    for place, chapter in enumerate(chapters):
        own = rows["document"] == place
        tokens = rows["tokens"][own][rows["sentences"][own] > 0]
        assert tokens.tolist() == [i for verse in chapter for i in tokenizer.encode(verse)]


SOURCES = {
    "encoded": lambda: text.encoded(verses(200), wordpiece(), 32, labels=np.arange(200)),
    "split": lambda: text.split(verses(200), wordpiece(), 32),
    "packed": lambda: text.packed(verses(200), wordpiece(), 64),
    "passages": lambda: text.passages([verses(200)[:100], verses(200)[100:]], wordpiece(), 64),
    "windows": lambda: text.windows(wordpiece().encode(" ".join(verses(20))), 16),
}


@pytest.mark.parametrize("name", SOURCES)
def test_rows_are_sources(name):
    source = SOURCES[name]()
    assert isinstance(source, data.Source)
    together = fetch(source, [3, 0, 5])
    for row, place in enumerate((3, 0, 5)):
        example = source[place]
        assert all(isinstance(values, np.ndarray) and values.dtype == np.int32 for values in example.values())
        assert {n: v.tolist() for n, v in example.items()} == {
            n: v[row].tolist() for n, v in together.items()
        }
    np.testing.assert_array_equal(source[-1]["tokens"], source[len(source) - 1]["tokens"])
    with pytest.raises(IndexError):
        source[len(source)]
    again = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(table(again)["tokens"], table(source)["tokens"])
    np.testing.assert_array_equal(table(SOURCES[name]())["tokens"], table(source)["tokens"])


@pytest.mark.parametrize("name", SOURCES)
def test_loaders_resume_in_the_middle_of_an_epoch(name):
    source = SOURCES[name]()
    whole = data.loader(source, batch_size=8, seed=1)
    for _ in range(5):
        next(whole)
    state = whole.get_state()
    resumed = data.loader(source, batch_size=8, seed=1, threads=1)
    resumed.set_state(state)
    for _ in range(4):
        expected, found = next(whole), next(resumed)
        assert set(expected) == set(found)
        for key in expected:
            np.testing.assert_array_equal(expected[key], found[key])


def test_ids_are_kept_in_two_bytes_where_they_fit():
    assert SOURCES["packed"]().texts.ids.dtype == np.uint16
    assert SOURCES["split"]().flat["tokens"].dtype == np.uint16
