"""Rows of whole sentences, which pairs of sentences are cut from."""

import itertools
from collections.abc import Sequence

import numpy as np

from jssl.data.source import Source
from jssl.data.text.rows import Rows, check_length, cut, padding, tokenize
from jssl.data.text.tokenizer import Tokenizer


def passages(documents: Sequence[Sequence[str]], tokenizer: Tokenizer, length: int) -> Source:
    """Rows of consecutive sentences of one document, as many as there is room for, without special tokens.

    What next-sentence and sentence-order prediction cut their pairs from; they put [CLS] and [SEP] in, so
    that a pair of `n` tokens needs rows of `n - 3`. The last row of a document may hold a single sentence.

    Args:
        documents: lists of sentences, as `read_documents` and `web_bible` have them. A sentence that is
            longer than a row is cut into pieces, each a sentence.
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
    if isinstance(documents, str) or any(isinstance(document, str) for document in documents):
        raise ValueError(
            "expected documents that are lists of sentences, got strings; cut them into sentences"
        )
    found = tokenize(list(itertools.chain.from_iterable(documents)), tokenizer)
    spans = cut(found.bounds, length)
    of_sentences = np.repeat(np.arange(len(documents)), [len(document) for document in documents])
    sentences = np.searchsorted(found.bounds, spans[:, 0], side="right") - 1
    owners = of_sentences[sentences]
    lengths = spans[:, 1] - spans[:, 0]
    firsts = _fill(lengths, owners, length)
    numbers = np.arange(len(spans)) - np.repeat(firsts, np.diff(firsts, append=len(spans))) + 1
    return Rows(
        {"tokens": found.ids, "sentences": np.repeat(numbers, lengths).astype(np.uint16)},
        spans[firsts, 0],
        np.add.reduceat(lengths, firsts),
        length=length,
        fill={"tokens": padding(tokenizer), "segments": 0, "sentences": 0},
        extra={"document": owners[firsts].astype(np.int32)},
    )


def _fill(lengths: np.ndarray, owners: np.ndarray, room: int) -> np.ndarray:
    """The first sentence of each row, rows filled one after the other."""
    firsts, used, last = [], 0, -1
    for sentence, (length, owner) in enumerate(zip(lengths.tolist(), owners.tolist(), strict=True)):
        if owner != last or used + length > room:
            firsts.append(sentence)
            used, last = 0, owner
        used += length
    return np.array(firsts)
