"""Rows of whole sentences, which pairs of sentences are cut from."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jssl.data.source import Example, Source
from jssl.data.text.rows import Rows, check_length, padding, tokenize
from jssl.data.text.stored import Stored, check_stored
from jssl.data.text.tokenizer import Tokenizer


class Passages(Rows):
    """Rows of one corpus whose sentences are numbered when they are read."""

    def __init__(self, corpus: "_Sentences", rows: "_Cut", *, length: int, pad: int):
        super().__init__(
            {"tokens": corpus.ids},
            rows.starts,
            rows.lengths,
            length=length,
            fill={"tokens": pad, "segments": 0},
            extra={"document": rows.documents.astype(np.int32)},
        )
        self.sentences = corpus.sentences

    def __getitems__(self, indices: Sequence[int]) -> Example:
        batch = super().__getitems__(indices)
        starts = self.starts[np.asarray(indices, np.intp), None]
        first, number = (
            np.searchsorted(self.sentences, places, side="right")
            for places in (starts, starts + np.arange(self.length))
        )
        return {**batch, "sentences": np.where(batch["segments"] > 0, number - first + 1, 0).astype(np.int32)}


class _Sentences(NamedTuple):
    """Ids, and where sentences and documents begin and end in them."""

    ids: np.ndarray
    sentences: np.ndarray
    documents: np.ndarray


class _Cut(NamedTuple):
    """Rows by their first tokens, their lengths and their documents."""

    starts: np.ndarray
    lengths: np.ndarray
    documents: np.ndarray


def passages(documents: Sequence[Sequence[str]] | Stored, tokenizer: Tokenizer, length: int) -> Source:
    """Rows of consecutive sentences of one document, as many as there is room for, without special tokens.

    What next-sentence and sentence-order prediction cut their pairs from; they put [CLS] and [SEP] in, so
    that a pair of `n` tokens needs rows of `n - 3`. The last row of a document may hold a single sentence.

    Args:
        documents: lists of sentences, as `read_documents` and `web_bible` have them, or a stored corpus. A
            sentence that is longer than a row is cut into pieces, each a sentence.
        tokenizer: with a token to pad with, see `padding`.
        length: tokens of a row.

    Returns:
        A source of {"tokens": int32 [length], "segments": int32 [length], 1 for a token and 0 for padding,
        "sentences": int32 [length], the sentence's number from 1 within the row and 0 for padding,
        "document": int32 [], the place of the document in `documents`}.

    Raises:
        ValueError: no documents, documents that are strings, or no token in them.

    Reference: Devlin et al. 2019, arXiv:1810.04805, section A.2; Lan et al. 2020, arXiv:1909.11942.
    """
    check_length(length)
    pad = padding(tokenizer)
    if isinstance(documents, Stored):
        corpus = check_stored(documents, tokenizer)
        found = _Sentences(corpus.ids, corpus.sentences, corpus.documents)
    else:
        found = _tokenized(documents, tokenizer)
    return Passages(found, _cut(found, length), length=length, pad=pad)


def _tokenized(documents: Sequence[Sequence[str]], tokenizer: Tokenizer) -> _Sentences:
    if isinstance(documents, str) or any(isinstance(document, str) for document in documents):
        raise ValueError(
            "expected documents that are lists of sentences, got strings; cut them into sentences"
        )
    found = tokenize(list(itertools.chain.from_iterable(documents)), tokenizer)
    if not len(found.ids):
        raise ValueError("expected documents with tokens in them, got empty ones only")
    counts = np.cumsum([0, *(len(document) for document in documents)])
    return _Sentences(found.ids, np.unique(found.bounds), found.bounds[counts])


def _cut(corpus: _Sentences, length: int) -> _Cut:
    """The rows, found for all documents at once: their first ones, their second ones, ..."""
    bounds, places, ends = corpus.sentences, corpus.documents[:-1].copy(), corpus.documents[1:]
    parts = []
    owners = np.flatnonzero(places < ends)
    while len(owners):
        starts = places[owners]
        last = bounds[np.searchsorted(bounds, starts + length, side="right") - 1]
        # Where no sentence ends within the row, it is cut.
        stops = np.minimum(np.where(last > starts, last, starts + length), ends[owners])
        parts.append((starts, stops - starts, owners))
        places[owners] = stops
        owners = owners[stops < ends[owners]]
    starts, lengths, documents = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(starts)
    return _Cut(starts[order], lengths[order], documents[order])
