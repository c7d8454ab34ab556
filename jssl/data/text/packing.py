"""Documents packed into rows, so that hardly a token of a row is padding."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int, Integer

from jssl.data.source import Example, Source, checked_index
from jssl.data.text.encode import framed
from jssl.data.text.rows import Ragged, Rows, check_length, cut, frame, padding, spread, tokenize
from jssl.data.text.stored import Stored, check_stored
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


class Packed:
    """Rows of several pieces, put together when they are read.

    texts: what the pieces are spans of.
    spans: of the pieces [pieces, 2], those of a row after each other.
    firsts: the first piece of each row, and the number of pieces.
    before, after: what stands around each piece.
    """

    def __init__(
        self,
        texts: Ragged,
        spans: np.ndarray,
        firsts: np.ndarray,
        before: list[int],
        after: list[int],
        *,
        length: int,
        pad: int,
    ):
        self.texts = texts
        self.spans = spans
        self.firsts = firsts
        self.before = before
        self.after = after
        self.length = length
        self.pad = pad

    def __len__(self) -> int:
        return len(self.firsts) - 1

    def __getitem__(self, index: int) -> Example:
        batch = self.__getitems__([checked_index(index, len(self))])
        return {name: np.asarray(values[0]) for name, values in batch.items()}

    def __getitems__(self, indices: Sequence[int]) -> Example:
        rows = np.asarray(indices, np.intp)
        counts = self.firsts[rows + 1] - self.firsts[rows]
        spans = self.spans[spread(self.firsts[rows], counts)]
        pieces = framed(self.texts, spans, self.before, self.after)
        numbers = spread(np.ones_like(counts), counts)
        bounds = pieces.bounds[np.concatenate([[0], np.cumsum(counts)])]
        made = Rows(
            {"tokens": pieces.ids, "segments": np.repeat(numbers, np.diff(pieces.bounds))},
            bounds[:-1],
            np.diff(bounds),
            length=self.length,
            fill={"tokens": self.pad, "segments": 0},
        )
        return made.__getitems__(range(len(rows)))


def packed(texts: Sequence[str] | Stored, tokenizer: Tokenizer, length: int) -> Source:
    """Documents packed into rows by first fit; numbers of segments keep those of one row apart.

    Each document goes, whole, into the first row that has room for it. One that is longer than a row is cut
    into pieces, and each is packed as a document.

    Args:
        texts: documents, of which empty ones are left out; or a stored corpus. Ten million take half a minute
            to be put into rows.
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
    if isinstance(texts, Stored):
        found = Ragged(texts.ids, check_stored(texts, tokenizer).documents)
    else:
        found = tokenize(texts, tokenizer)
        found = found if before else _ended(found, after)
    after = after if before else []
    spans = cut(found.bounds, length - len(before) - len(after))
    rows = first_fit(spans[:, 1] - spans[:, 0] + len(before) + len(after), length)
    order = np.argsort(rows, kind="stable")
    firsts = np.append(np.flatnonzero(np.diff(rows[order], prepend=-1)), len(rows))
    return Packed(found, spans[order], firsts, before, after, length=length, pad=padding(tokenizer))


def _ended(texts: Ragged, after: list[int]) -> Ragged:
    """The documents with what ends them; those that are empty stay so."""
    spans = np.stack([texts.bounds[:-1], texts.bounds[1:]], axis=1)
    full = spans[:, 0] < spans[:, 1]
    return framed(texts, spans[full], [], after) if full.any() else texts
