"""Tokenizers: the same in every run, what they are made of, and what they refuse."""

import hashlib
import json
import pickle
import subprocess
import sys

import numpy as np
import pytest

from jssl.data import text
from jssl.data.text.train import in_order
from tests.data.text.corpora import LINES, bpe, unigram, verses, wordpiece

BIBLE = 'texts = [v for c in text.web_bible().train for v in c][:1500] + ["Zoë Ünal ça", "q£ §1 Æ Ø ß ¥"]'

TRAIN = {
    "wordpiece": "text.train_wordpiece(texts, size=700, min_count=1)",
    "bpe": "text.train_bpe(texts, size=500)",
    "masks": "text.train_bpe(texts, size=500, masks=True)",
    "unigram": "text.train_unigram(texts, size=500)",
}


def characters() -> text.Tokenizer:
    return text.character_tokenizer(LINES)


MADE = [wordpiece, bpe, unigram, text.byte_tokenizer, characters]


@pytest.mark.parametrize("name", TRAIN)
def test_training_gives_the_same_in_every_process(name):
    code = f"from jssl.data import text; {BIBLE}; print({TRAIN[name]}.codec.serialized)"
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout
        for _ in range(3)
    ]
    assert len({hashlib.sha256(run.encode()).hexdigest() for run in runs}) == 1
    assert json.loads(runs[0])["model"]


@pytest.mark.parametrize("make", MADE)
def test_a_tokenizer_is_the_same_when_it_is_sent_or_saved(make, tmp_path):
    tokenizer = make()
    expected = [ids.tolist() for ids in tokenizer.encode_batch(LINES[:5])]
    saved = text.load_tokenizer(tokenizer.save(tmp_path / "new" / "folder"))
    for other in (pickle.loads(pickle.dumps(tokenizer)), saved):
        assert [ids.tolist() for ids in other.encode_batch(LINES[:5])] == expected
        assert (other.size, other.special, other.special_ids) == (
            tokenizer.size,
            tokenizer.special,
            tokenizer.special_ids,
        )
        assert other.pieces == tokenizer.pieces
        np.testing.assert_array_equal(other.starts, tokenizer.starts)


@pytest.mark.parametrize("make", MADE)
def test_ids_are_int32_below_the_size(make):
    tokenizer = make()
    for line, ids in zip(LINES, tokenizer.encode_batch(iter(LINES)), strict=True):
        assert ids.dtype == np.int32
        assert ids.max() < tokenizer.size == len(tokenizer.pieces) == len(tokenizer.starts)
        np.testing.assert_array_equal(ids, tokenizer.encode(line))
    assert tokenizer.encode("").shape == (0,)
    assert tokenizer.encode_batch([]) == []


@pytest.mark.parametrize("make", [bpe, text.byte_tokenizer, characters])
def test_any_text_comes_back_as_it_was(make):
    tokenizer = make()
    for line in LINES:
        assert tokenizer.decode(tokenizer.encode(line)) == line


def test_wordpiece_has_berts_special_tokens_first_and_hashes_inside_words():
    tokenizer = wordpiece()
    assert tokenizer.pieces[:5] == ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    assert tokenizer.special == text.Special(pad=0, unk=1, cls=2, sep=3, mask=4, eos=3)
    assert tokenizer.special_ids == (0, 1, 2, 3, 4)
    assert tokenizer.size == 1000
    assert tokenizer.decode(tokenizer.encode("The LORD, thé heavens!")) == "the lord, the heavens!"
    ids = tokenizer.encode("heavenly Zion")
    words = np.cumsum(tokenizer.starts[ids])
    assert words.max() == 2
    assert all(tokenizer.pieces[i].startswith("##") != tokenizer.starts[i] for i in range(5, tokenizer.size))
    cased = text.train_wordpiece(verses(200), size=500, lowercase=False)
    assert cased.decode(cased.encode("God saw")) == "God saw"


def test_byte_level_bpe_with_and_without_tokens_for_masks():
    plain, masks = bpe(), text.train_bpe(verses(200), size=400, masks=True)
    assert plain.special == text.Special(eos=0)
    assert plain.pieces[0] == "<|endoftext|>"
    assert masks.special == text.Special(pad=1, unk=3, cls=0, sep=2, mask=4, eos=2)
    assert masks.pieces[:5] == ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
    ids = plain.encode("In the beginning\nGod")
    assert plain.starts[ids].sum() == 3  # the first word has no space before it
    assert masks.decode(masks.encode("in the<mask> God", special=True)) == "in the<mask> God"
    assert masks.special.mask in masks.encode("in the <mask>", special=True)


def test_unigram_marks_spaces():
    tokenizer = unigram()
    assert tokenizer.pieces[:5] == ("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]")
    assert tokenizer.special == text.Special(pad=0, unk=1, cls=2, sep=3, mask=4, eos=3)
    ids = tokenizer.encode("In the  beginning")
    assert tokenizer.starts[ids].sum() == 3
    assert tokenizer.decode(ids) == "In the beginning"
    lower = text.train_unigram(verses(300), size=300, lowercase=True)
    assert lower.decode(lower.encode("GOD ﬁ")) == "god fi"


def test_characters_dropped_in_unigram_training_are_put_in_order():
    tail = [("b", -9.9998), ("q", -10.0), ("a", -9.9999)]
    pieces = [("<pad>", 0.0), ("the", -1.0), ("e", -2.0), ("zz", -10.0), *tail]
    expected = [("<pad>", 0.0), ("the", -1.0), ("e", -2.0), ("a", -9.9998), ("b", -9.9999), ("q", -10.0)]
    assert in_order(pieces, 1) == [*expected, ("zz", -10.0)]
    assert in_order(pieces[::-1][-1:] + pieces[1:][::-1], 1) == [*expected, ("zz", -10.0)]


@pytest.mark.parametrize("make", [wordpiece, text.byte_tokenizer])
def test_special_tokens_in_a_text_are_text_unless_they_are_asked_for(make):
    tokenizer = make()
    mask, sep = tokenizer.special.mask, tokenizer.special.sep
    ids = tokenizer.encode("the [MASK] of [SEP]")
    assert mask not in ids
    assert sep not in ids
    named = tokenizer.encode("the [MASK] of [SEP]", special=True)
    assert mask in named
    assert named[-1] == sep
    assert tokenizer.decode(named) == "the [MASK] of [SEP]"
    assert "[MASK]" not in tokenizer.decode(named, special=False)


def test_bytes_are_their_own_ids():
    tokenizer = text.byte_tokenizer()
    assert tokenizer.size == 261
    assert tokenizer.encode("aé").tolist() == list("aé".encode())
    assert tokenizer.special == text.Special(pad=256, unk=257, cls=258, sep=259, mask=260, eos=259)
    assert tokenizer.pieces[65] == "A"
    assert tokenizer.pieces[200] == "<0xC8>"
    assert text.byte_tokenizer(special=False).size == 256
    assert tokenizer.decode([0xC3, 258]) == "\ufffd[CLS]"


def test_characters_are_in_the_order_of_nanogpt():
    lines = ["hello", "wörld \U0001f600\n"]
    tokenizer = text.character_tokenizer(lines)
    order = sorted(set("".join(lines)))
    assert tokenizer.pieces == tuple(order)
    assert tokenizer.special == text.Special()
    assert tokenizer.encode("wold").tolist() == [order.index(c) for c in "wold"]
    assert text.character_tokenizer("hello").size == 4
    assert np.flatnonzero(tokenizer.starts).tolist() == [order.index("\n"), order.index(" ")]


def test_unknown_characters_are_refused_or_stand_as_unknown():
    with pytest.raises(ValueError, match=r"among the 4 of the vocabulary, got 'z' at 1; .*special=True"):
        text.character_tokenizer(["abcd"]).encode("az")
    tokenizer = text.character_tokenizer(["abcd"], special=True)
    assert tokenizer.encode("azz").tolist() == [0, 5, 5]
    assert tokenizer.pieces[4:] == ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    with pytest.raises(ValueError, match="expected texts with characters"):
        text.character_tokenizer(["", ""])


@pytest.mark.parametrize("make", [wordpiece, text.byte_tokenizer])
def test_what_is_no_string_and_no_id_is_refused(make):
    tokenizer = make()
    with pytest.raises(ValueError, match="expected strings, got NoneType at 1"):
        tokenizer.encode_batch(iter(["a", None]))
    with pytest.raises(ValueError, match=r"expected ids in \[0, \d+\), got \[-1, 3\]"):
        tokenizer.decode([3, -1])
    with pytest.raises(ValueError, match="half of a surrogate pair at character 1 of text 1"):
        tokenizer.encode_batch(["é", "a\ud800"])
    assert tokenizer.decode([]) == ""


@pytest.mark.parametrize("train", [text.train_wordpiece, text.train_bpe, text.train_unigram])
def test_training_refuses_no_texts_and_sizes_that_are_too_small(train):
    with pytest.raises(ValueError, match="at least one text"):
        train([])
    with pytest.raises(ValueError, match="got one string"):
        train("a text")
    with pytest.raises(ValueError, match="at character 1 of text 1"):
        train(["é", "a\ud800"], size=300)
    with pytest.raises(ValueError, match=r"expected a size of \d+ or more|size 20: .*not large enough"):
        train(verses(50), size=20)


def test_training_takes_an_iterator():
    assert (
        text.train_wordpiece(iter(verses(100)), size=300).pieces
        == text.train_wordpiece(verses(100), size=300).pieces
    )
    assert repr(text.train_bpe(iter(LINES), size=257)).startswith("Tokenizer(Subwords, size=257")
