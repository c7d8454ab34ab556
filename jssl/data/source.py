"""What a data source is, and how examples become batches.

A source is random access: `len(source)` and `source[index] -> {name: array}`. A source that can read many
examples faster than one by one also has `__getitems__(indices)`, which returns either the stacked batch or a
list of examples. Everything in `jssl.data` returns sources and takes sources.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np

Example: TypeAlias = dict[str, np.ndarray]
"""Arrays by name: "image" uint8 [height, width, channels], "label" int32 []. A batch has one axis more."""

CHUNK = 512
"""Examples decoded at once where a whole source is read: bounds the memory beyond the result's."""


@runtime_checkable
class Source(Protocol):
    """Random access to examples; any object with these two methods is one."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Example: ...


class DataSet(NamedTuple):
    """A training source, a test source (None where there is none), and the names of the classes."""

    train: Source
    test: Source | None
    classes: tuple[str, ...] = ()


def checked_index(index: int, length: int) -> int:
    """The index as it counts from the front.

    Raises:
        IndexError: outside of the source; it is what ends a `for` loop over a source.
    """
    if not -length <= index < length:
        raise IndexError(f"index {index} is outside of a source of {length} examples")
    return index % length


def stack(examples: Sequence[Example]) -> Example:
    """Examples of one shape as a batch.

    Raises:
        ValueError: arrays of several shapes under one name.
    """
    batch = {}
    for name in examples[0]:
        values = [np.asarray(example[name]) for example in examples]
        shapes = sorted({value.shape for value in values})
        if len(shapes) > 1:
            raise ValueError(
                f'"{name}" must have one shape to be batched, got {shapes[0]} and {shapes[-1]}: give '
                "images one size (size=..., or data.mapped with data.resize), pad or cut the rest"
            )
        batch[name] = np.stack(values)
    return batch


def fetch(source: Source, indices: Sequence[int] | np.ndarray) -> Example:
    """The batch of the examples at `indices`, in their order."""
    positions = np.asarray(indices).tolist()
    together = getattr(source, "__getitems__", None)
    examples = together(positions) if together else [source[i] for i in positions]
    return examples if isinstance(examples, dict) else stack(examples)


def evenly(total: int, count: int) -> np.ndarray:
    """`count` indices spread evenly over `total`, so that sources sorted by class keep all classes."""
    return np.arange(count) * total // count


def as_arrays(source: Source, limit: int | None = None) -> Example:
    """Decodes a source once, into one array a name.

    Args:
        source: the examples; all of one shape.
        limit: at most so many examples, spread evenly over the source; None: all.

    Returns:
        {name: [examples, ...]}, in the order of the source.
    """
    count = len(source) if limit is None else min(limit, len(source))
    if count < 1:
        raise ValueError(f"expected at least one example, got limit={limit} of {len(source)} examples")
    indices = evenly(len(source), count)
    first = fetch(source, indices[:CHUNK])
    arrays = {name: np.empty((count, *values.shape[1:]), values.dtype) for name, values in first.items()}
    for start in range(0, count, CHUNK):
        part = first if start == 0 else fetch(source, indices[start : start + CHUNK])
        for name, values in part.items():
            arrays[name][start : start + CHUNK] = fitting(name, values, arrays[name])
    return arrays


def fitting(name: str, values: np.ndarray, into: np.ndarray) -> np.ndarray:
    """`values`, refused where NumPy would broadcast or cast them silently."""
    if values.shape[1:] != into.shape[1:] or values.dtype != into.dtype:
        raise ValueError(
            f'"{name}" must have one shape and dtype, got {into.shape[1:]} {into.dtype} and '
            f"{values.shape[1:]} {values.dtype}: give all examples one size"
        )
    return values


class Subset:
    """Some examples of a source, in a given order."""

    def __init__(self, source: Source, indices: np.ndarray):
        self.source = source
        self.indices = indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Example:
        return self.source[int(self.indices[checked_index(index, len(self))])]

    def __getitems__(self, indices: Sequence[int]) -> Example:
        return fetch(self.source, self.indices[list(indices)])


def subset(source: Source, part: float | Sequence[int] | np.ndarray) -> Source:
    """A part of a source.

    Args:
        source: the examples.
        part: a fraction in (0, 1], spread evenly over the source (so that sources sorted by class keep all
            classes), or the indices to keep, in their order.
    """
    if isinstance(part, float):
        if not 0 < part <= 1:
            raise ValueError(f"expected a fraction in (0, 1], got {part}; pass a list to choose by index")
        return Subset(source, evenly(len(source), max(1, round(part * len(source)))))
    indices = np.asarray(part, dtype=np.int64)
    if indices.ndim != 1 or not len(indices):
        raise ValueError(f"expected a list of indices, got shape {indices.shape}")
    if indices.min() < 0 or indices.max() >= len(source):
        raise ValueError(
            f"expected indices in [0, {len(source)}), got [{indices.min()}, {indices.max()}] among them"
        )
    return Subset(source, indices)


class Mapped:
    """A source whose examples pass through a function when they are read."""

    def __init__(self, source: Source, transform: Callable[[Example], Example]):
        self.source = source
        self.transform = transform

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> Example:
        return {name: np.asarray(value) for name, value in self.transform(self.source[index]).items()}


def mapped(source: Source, transform: Callable[[Example], Example]) -> Source:
    """Applies `transform` to each example on the host: decoding, resizing, tokenizing.

    It must be a pure function of the example. Random changes belong into the train step, on the device.
    """
    return Mapped(source, transform)
