"""Examples that know their number, for methods that keep something for each of them."""

from collections.abc import Sequence

import numpy as np

from jssl.data.source import Example, Source, checked_index, fetch

INDEX = "index"


class Indexed:
    """A source whose examples carry their place in it."""

    def __init__(self, source: Source):
        self.source = source

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> Example:
        position = checked_index(index, len(self))
        return self._with(self.source[position], np.asarray(position, np.int32))

    def __getitems__(self, indices: Sequence[int]) -> Example:
        positions = [checked_index(int(index), len(self)) for index in indices]
        return self._with(fetch(self.source, positions), np.asarray(positions, np.int32))

    def _with(self, example: Example, index: np.ndarray) -> Example:
        if INDEX in example:
            raise ValueError(
                f'expected examples without "{INDEX}", got {sorted(example)}: index a source once'
            )
        return {**example, INDEX: index}


def indexed(source: Source) -> Source:
    """Adds "index", the example's place in the source, as int32: what pseudo-labels are looked up by.

    Take a `subset` first and index it then, so that the places run from 0 to the number of examples.

    Raises:
        ValueError: while reading, if the examples have one already.
    """
    return Indexed(source)
