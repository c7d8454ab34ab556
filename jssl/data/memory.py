"""Sources in memory: arrays as they are, and any small source decoded once."""

import threading
from collections.abc import Sequence

import numpy as np

from jssl.data.source import Example, Source, as_arrays, checked_index

# One lock for all sources, outside of them, so that they stay picklable for worker processes; reentrant,
# since a cached source may read another one.
_DECODING = threading.RLock()


class Arrays:
    """Arrays with equal leading lengths."""

    def __init__(self, arrays: Example):
        self.arrays = arrays

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))

    def __getitem__(self, index: int) -> Example:
        position = checked_index(index, len(self))
        return {name: np.asarray(values[position]) for name, values in self.arrays.items()}

    def __getitems__(self, indices: Sequence[int]) -> Example:
        positions = np.asarray(indices, dtype=np.intp)
        return {name: np.take(values, positions, axis=0) for name, values in self.arrays.items()}


def arrays(**arrays: np.ndarray) -> Source:
    """A source of arrays in memory: `arrays(image=images, label=labels)`.

    Args:
        arrays: one array a name, [examples, ...]; they are not copied.

    Raises:
        ValueError: no array, scalars, or different numbers of examples.
    """
    values = {name: np.asarray(value) for name, value in arrays.items()}
    if not values or any(value.ndim == 0 for value in values.values()):
        raise ValueError(f"expected named arrays with a leading axis of examples, got {sorted(values)}")
    lengths = {name: len(value) for name, value in values.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"expected as many examples in each array, got {lengths}")
    return Arrays(values)


class Cached:
    """A source that is decoded into memory when it is first read."""

    def __init__(self, source: Source):
        self.source = source
        self._decoded: Arrays | None = None

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> Example:
        return self.decoded()[index]

    def __getitems__(self, indices: Sequence[int]) -> Example:
        return self.decoded().__getitems__(indices)

    def decoded(self) -> Arrays:
        """The decoded arrays; threads that ask at the same time wait for one of them."""
        if self._decoded is None:
            with _DECODING:
                if self._decoded is None:
                    self._decoded = Arrays(as_arrays(self.source))
        return self._decoded

    def __getstate__(self) -> dict:
        return {"source": self.source, "_decoded": None}


def cached(source: Source) -> Source:
    """Decodes a source once, when it is first read, and serves it from memory.

    For sources that fit into memory: 60,000 images of 28x28 take 47 MB. All examples must have one shape.
    Each worker process of a loader decodes its own copy, so a cached source is best read by threads.
    """
    return source if isinstance(source, Arrays | Cached) else Cached(source)
