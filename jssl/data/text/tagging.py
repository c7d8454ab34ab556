"""Words with labels as rows of tokens."""

import itertools
from collections.abc import Sequence

import numpy as np

from jssl.data.source import Source
from jssl.data.text.encode import frame, framed
from jssl.data.text.rows import Ragged, Rows, check_length, padding, tokenize
from jssl.data.text.tokenizer import Tokenizer

UNCOUNTED = -1
"""The label of tokens that have none."""


def tagged(
    sentences: Sequence[Sequence[str]], labels: Sequence[Sequence[int]], tokenizer: Tokenizer, length: int
) -> Source:
    """One sentence a row, a label for each word: named entities, parts of speech.

    Args:
        sentences: as words. All but the first are encoded with a space before them. One that the tokenizer
            makes nothing of, as a control character, is an unknown token, so that each word has a label.
        labels: class numbers, as many for a sentence as it has words.
        tokenizer: as for `encoded`.
        length: tokens of a row, special ones included; longer sentences are cut, and their last words lost.

    Returns:
        A source of {"tokens": int32 [length], "segments": int32 [length], 1 for a token and 0 for padding,
        "labels": int32 [length], the word's at its first token, -1 (not counted) at all others}.

    Raises:
        ValueError: no sentences, other numbers of labels than of words, or a word without any token where
            the tokenizer has none for the unknown.

    Reference: Devlin et al. 2019, arXiv:1810.04805, section 5.3.
    """
    before, after = frame(tokenizer)
    room = length - len(before) - len(after)
    check_length(length, 1 + length - room)
    counts = _words(sentences, labels)
    spaced = [" " * (place > 0) + word for words in sentences for place, word in enumerate(words)]
    found = _each_some(tokenize(spaced, tokenizer), tokenizer)
    ends = found.bounds[np.concatenate([[0], np.cumsum(counts)])]
    spans = np.stack([ends[:-1], np.minimum(ends[1:], ends[:-1] + room)], axis=1)
    rows = framed(found, spans, before, after)
    of_tokens = Ragged(_at_first(found, list(itertools.chain.from_iterable(labels))), found.bounds)
    targets = framed(of_tokens, spans, [UNCOUNTED] * len(before), [UNCOUNTED] * len(after))
    return Rows(
        {"tokens": rows.ids, "labels": targets.ids},
        rows.bounds[:-1],
        np.diff(rows.bounds),
        length=length,
        fill={"tokens": padding(tokenizer), "segments": 0, "labels": UNCOUNTED},
    )


def _words(sentences: Sequence[Sequence[str]], labels: Sequence[Sequence[int]]) -> list[int]:
    """How many words each sentence has."""
    if any(isinstance(sentence, str) for sentence in sentences):
        raise ValueError("expected sentences that are lists of words, got strings; cut them into words")
    counts = [len(sentence) for sentence in sentences]
    given = [len(row) for row in labels]
    if counts != given:
        place = next((i for i, (a, b) in enumerate(zip(counts, given, strict=False)) if a != b), None)
        where = f"{len(given)} rows of labels for {len(counts)} sentences"
        if place is not None:
            where = f"{given[place]} labels for {counts[place]} words in sentence {place}"
        raise ValueError(f"expected a label for each word, got {where}")
    return counts


def _each_some(words: Ragged, tokenizer: Tokenizer) -> Ragged:
    """The words, those without tokens as an unknown one."""
    empty = np.flatnonzero(np.diff(words.bounds) == 0)
    if not len(empty):
        return words
    unknown = tokenizer.special.unk
    if unknown is None:
        raise ValueError(
            f"expected words that the tokenizer has tokens for, got {len(empty)} without any: leave them out"
        )
    more = np.searchsorted(empty, np.arange(len(words.bounds)))
    return Ragged(np.insert(words.ids, words.bounds[empty], unknown), words.bounds + more)


def _at_first(words: Ragged, labels: list[int]) -> np.ndarray:
    """The label of each token: the word's at its first one."""
    spread = np.full(len(words.ids), UNCOUNTED, np.int32)
    spread[words.bounds[:-1]] = labels
    return spread
