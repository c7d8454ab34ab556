"""Rows of tokens of one length, cut out of long arrays when they are read: padding takes no memory."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int, Integer

from jssl.data.source import Example, Source, checked_index
from jssl.data.text.tokenizer import CHUNK, Tokenizer


class Ragged(NamedTuple):
    """Texts as one array of ids: text i is `ids[bounds[i] : bounds[i + 1]]`."""

    ids: Integer[np.ndarray, " tokens"]
    bounds: Int[np.ndarray, " texts_and_one"]


def compact(ids: np.ndarray, size: int) -> np.ndarray:
    """The ids in two bytes each where the vocabulary allows it."""
    return ids.astype(np.uint16 if size <= 2**16 else np.int32)


def tokenize(texts: Sequence[str], tokenizer: Tokenizer) -> Ragged:
    """The ids of all texts, a chunk of them at a time."""
    if isinstance(texts, str) or not len(texts):
        raise ValueError(f"expected a list of at least one text, got {texts!r}; use data.text.read_lines")
    lengths, parts = [0], []
    for start in range(0, len(texts), CHUNK):
        encoded = tokenizer.encode_batch(texts[start : start + CHUNK])
        lengths += [len(ids) for ids in encoded]
        parts.append(compact(np.concatenate(encoded), tokenizer.size))
    return Ragged(np.concatenate(parts), np.cumsum(lengths))


def spread(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The places of spans, one span after the other: (5, 0), (2, 3) to 5, 6, 0, 1, 2."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1]) + np.repeat(starts - ends + lengths, lengths)


def cut(bounds: np.ndarray, longest: int) -> np.ndarray:
    """The spans [pieces, 2] between bounds, those that are longer cut into pieces; none is empty."""
    counts = -(-np.diff(bounds) // longest)
    if not counts.sum():
        raise ValueError("expected texts with tokens in them, got empty ones only")
    starts = np.repeat(bounds[:-1], counts) + longest * spread(np.zeros_like(counts), counts)
    return np.stack([starts, np.minimum(starts + longest, np.repeat(bounds[1:], counts))], axis=1)


def check_length(length: int, least: int = 1) -> None:
    """Refuses rows that cannot hold a token beside the special ones."""
    if length < least:
        raise ValueError(f"expected a length of {least} tokens or more, got {length}")


def padding(tokenizer: Tokenizer) -> int:
    """What fills rows: the pad token, or what ends documents where there is none (as for GPT-2).

    Raises:
        ValueError: the tokenizer has neither.
    """
    pad, eos = tokenizer.special.pad, tokenizer.special.eos
    if pad is None and eos is None:
        raise ValueError(
            "expected a tokenizer with a token for padding, got one without: make it with special=True, or "
            "use data.text.split or data.text.windows, whose rows are full"
        )
    return eos if pad is None else pad  # type: ignore[return-value]


def frame(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """What stands before and after a text: [CLS] and [SEP], or nothing and the end of a document."""
    special = tokenizer.special
    if special.cls is None:
        return [], [] if special.eos is None else [special.eos]
    return [special.cls], [] if special.sep is None else [special.sep]


class Rows:
    """Spans of arrays of numbers, padded to one length.

    flat: arrays of one number a token, by name; a row is a span of each.
    starts, lengths: of the rows' spans.
    fill: what follows the span, by name.
    extra: arrays of one value a row.
    """

    def __init__(
        self,
        flat: Example,
        starts: np.ndarray,
        lengths: np.ndarray,
        *,
        length: int,
        fill: Mapping[str, int],
        extra: Example | None = None,
    ):
        self.flat = flat
        self.starts = starts
        self.lengths = lengths
        self.length = length
        self.fill = dict(fill)
        self.extra = extra or {}

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, index: int) -> Example:
        batch = self.__getitems__([checked_index(index, len(self))])
        return {name: np.asarray(values[0]) for name, values in batch.items()}

    def __getitems__(self, indices: Sequence[int]) -> Example:
        rows = np.asarray(indices, np.intp)
        offsets = np.arange(self.length)
        inside = offsets < self.lengths[rows, None]
        places = np.where(inside, self.starts[rows, None] + offsets, 0)
        batch = {
            name: np.where(inside, values[places], self.fill[name]).astype(np.int32)
            for name, values in self.flat.items()
        }
        # Where nothing else says which tokens are real, and some are not, segments do.
        if "segments" not in self.flat and "segments" in self.fill:
            batch["segments"] = inside.astype(np.int32)
        return {**batch, **{name: values[rows] for name, values in self.extra.items()}}


class Windows:
    """Every span of one length in a long array."""

    def __init__(self, ids: np.ndarray, length: int):
        self.ids = ids
        self.length = length

    def __len__(self) -> int:
        return len(self.ids) - self.length + 1

    def __getitem__(self, index: int) -> Example:
        start = checked_index(index, len(self))
        return {"tokens": self.ids[start : start + self.length].astype(np.int32)}

    def __getitems__(self, indices: Sequence[int]) -> Example:
        places = np.add.outer(np.asarray(indices, np.intp), np.arange(self.length))
        return {"tokens": self.ids[places].astype(np.int32)}


def windows(ids: Integer[np.ndarray, " tokens"], length: int) -> Source:
    """Every span of `length` tokens in one long array, as nanoGPT draws them; nothing is copied.

    An epoch of a loader has each start once, so that each token comes up `length` times in it.

    Args:
        ids: of one text, as `tokenizer.encode(text)`, or a `numpy.memmap` that is larger than the memory.
        length: tokens of a row. A next-token model predicts the last `length - 1` of them.

    Returns:
        A source of {"tokens": int32 [length]}.

    Raises:
        ValueError: fewer ids than a row has.
    """
    check_length(length)
    if len(ids) < length:
        raise ValueError(f"expected at least the {length} tokens of a row, got {len(ids)}")
    return Windows(ids, length)
