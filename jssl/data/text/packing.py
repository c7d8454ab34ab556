"""Documents packed into rows, so that hardly a token of a row is padding."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int, Integer

from jssl.data.source import Source
from jssl.data.text.encode import frame, framed
from jssl.data.text.rows import Ragged, Rows, check_length, cut, padding, tokenize
from jssl.data.text.tokenizer import Tokenizer


def first_fit(
    lengths: Sequence[int] | Integer[np.ndarray, " pieces"], capacity: int
) -> Int[np.ndarray, " pieces"]:
    """The row of each piece: the first one that has room for it, as the pieces come.

    A tree over the rows holds the most room below each of its nodes, so that n pieces take O(n log n).

    Args:
        lengths: of the pieces, from 1 to capacity.
        capacity: of a row.
    """
    leaves = 1 << max(len(lengths) - 1, 0).bit_length()
    room = [capacity] * (2 * leaves)
    rows = np.empty(len(lengths), np.int64)
    for piece, length in enumerate(np.asarray(lengths).tolist()):
        node = 1
        while node < leaves:
            node *= 2
            if room[node] < length:
                node += 1
        rows[piece] = node - leaves
        room[node] -= length
        while node > 1:
            most = max(room[node], room[node ^ 1])
            node //= 2
            if room[node] == most:
                break
            room[node] = most
    return rows


def packed(texts: Sequence[str], tokenizer: Tokenizer, length: int) -> Source:
    """Documents packed into rows by first fit; numbers of segments keep those of one row apart.

    Each document goes, whole, into the first row that has room for it. One that is longer than a row is cut
    into pieces, and each is packed as a document.

    Args:
        texts: documents; empty ones are left out.
        tokenizer: each piece stands between [CLS] and [SEP]; where it has no [CLS], what ends a document
            stands behind the last piece.
        length: tokens of a row, special ones included.

    Returns:
        A source of {"tokens": int32 [length], "segments": int32 [length], the document's number from 1 within
        its row, 0 for padding}. The order is that of the documents, but for those that filled a gap.

    Raises:
        ValueError: no texts, all of them empty, or no token to pad with.

    Reference: first fit, Johnson 1974; for pretraining, Krell et al. 2021, arXiv:2107.02027.
    """
    before, after = frame(tokenizer)
    check_length(length, 1 + len(before) + len(after))
    found = tokenize(texts, tokenizer)
    if not before:
        found, after = _ended(found, after), []
    spans = cut(found.bounds, length - len(before) - len(after))
    rows = first_fit(spans[:, 1] - spans[:, 0] + len(before) + len(after), length)
    order = np.argsort(rows, kind="stable")
    pieces = framed(found, spans[order], before, after)
    numbers, firsts = _within(rows[order])
    starts = pieces.bounds[firsts]
    return Rows(
        {"tokens": pieces.ids, "segments": np.repeat(numbers, np.diff(pieces.bounds))},
        starts,
        np.diff(starts, append=pieces.bounds[-1]),
        length=length,
        fill={"tokens": padding(tokenizer), "segments": 0},
    )


def _ended(texts: Ragged, after: list[int]) -> Ragged:
    """The documents with what ends them; those that are empty stay so."""
    spans = np.stack([texts.bounds[:-1], texts.bounds[1:]], axis=1)
    full = spans[:, 0] < spans[:, 1]
    return framed(texts, spans[full], [], after) if full.any() else texts


def _within(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of sorted rows, one a piece: each piece's number within its row, from 1, and the rows' first pieces."""
    firsts = np.flatnonzero(np.diff(rows, prepend=-1))
    counts = np.diff(firsts, append=len(rows))
    return (np.arange(len(rows)) - np.repeat(firsts, counts) + 1).astype(np.uint16), firsts
