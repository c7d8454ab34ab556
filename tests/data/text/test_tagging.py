"""Labels of words: each at its word's first token, and nowhere else."""

import numpy as np
import pytest

from jssl import data, evals
from jssl.data import text
from tests.data.text.corpora import bpe, unigram, wordpiece

SENTENCES = [["The", "unbelievable", "Zion,"], ["God"], ["a", "", "b"]]
LABELS = [[1, 2, 3], [4], [5, 6, 7]]


@pytest.mark.parametrize("make", [wordpiece, bpe, unigram, text.byte_tokenizer])
def test_labels_stand_at_the_first_token_of_their_word(make):
    tokenizer = make()
    rows = data.as_arrays(text.tagged(SENTENCES, LABELS, tokenizer, 40))
    for place, (words, labels) in enumerate(zip(SENTENCES, LABELS, strict=True)):
        tokens, marks = rows["tokens"][place], rows["labels"][place]
        whole = text.encoded([" ".join(words)], tokenizer, 40)[0]
        if "" not in words:
            np.testing.assert_array_equal(tokens, whole["tokens"])
            np.testing.assert_array_equal(rows["segments"][place], whole["segments"])
        assert marks[marks >= 0].tolist() == labels
        firsts = np.flatnonzero(marks >= 0)
        assert firsts[0] == int(tokenizer.special.cls is not None)
        assert (marks[rows["segments"][place] == 0] == -1).all()
        known = set(tokenizer.special_ids) - {tokenizer.special.unk}
        assert not set(tokens[firsts].tolist()) & known


def test_long_sentences_are_cut_with_their_labels():
    tokenizer = text.byte_tokenizer()
    row = text.tagged([["ab", "cd", "ef"]], [[7, 8, 9]], tokenizer, 7)[0]
    assert tokenizer.decode(row["tokens"]) == "[CLS]ab cd[SEP]"
    assert row["labels"].tolist() == [-1, 7, -1, 8, -1, -1, -1]


def test_words_without_tokens_are_unknown_ones():
    tokenizer = wordpiece()
    rows = text.tagged([["\u200d", "", "God"], ["God", "\u200d"]], [[1, 2, 3], [4, 5]], tokenizer, 8)
    unknown, (god,) = tokenizer.special.unk, tokenizer.encode("God").tolist()
    assert rows[0]["tokens"][1:4].tolist() == [unknown, unknown, god]
    assert rows[0]["labels"].tolist() == [-1, 1, 2, 3, -1, -1, -1, -1]
    assert rows[1]["tokens"][1:3].tolist() == [god, unknown]
    assert rows[1]["labels"].tolist() == [-1, 4, 5, -1, -1, -1, -1, -1]
    with pytest.raises(ValueError, match="got 1 without any"):
        text.tagged([["", "God"]], [[1, 2]], bpe(), 8)


def test_labels_come_back_as_tags():
    rng = np.random.default_rng(1)
    tokenizer, names = text.byte_tokenizer(), evals.tag_names([["B-person", "I-person", "O"]])
    for _ in range(50):
        num = rng.integers(1, 6)
        words = ["x" * size for size in rng.integers(1, 4, num)]
        labels = rng.integers(0, 3, num).tolist()
        row = text.tagged([words], [labels], tokenizer, 30)[0]
        tags = [names[label] for label in labels]
        assert evals.word_tags(tags, row["labels"], row["labels"], names) == tags
        wrong = (row["labels"] + 1) % 3
        assert evals.word_tags(tags, wrong, row["labels"], names) == [names[(x + 1) % 3] for x in labels]


def test_labels_that_do_not_fit_are_refused():
    tokenizer = text.byte_tokenizer()
    with pytest.raises(ValueError, match="got 1 labels for 2 words in sentence 1"):
        text.tagged([["a"], ["b", "c"]], [[0], [1]], tokenizer, 8)
    with pytest.raises(ValueError, match="got 1 rows of labels for 2 sentences"):
        text.tagged([["a"], ["b"]], [[0]], tokenizer, 8)
    with pytest.raises(ValueError, match="lists of words, got strings"):
        text.tagged(["a"], [[0]], tokenizer, 8)
    with pytest.raises(ValueError, match="at least one text"):
        text.tagged([], [], tokenizer, 8)
