"""Batches on their way to the devices, a few steps ahead of their use."""

from collections import deque
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jax.sharding import NamedSharding

from jssl.core import Batch
from jssl.train.sharding import put_batch


@runtime_checkable
class BatchIterator(Protocol):
    """What the loop needs of a data pipeline: batches, and a JSON-able position to go back to."""

    def __next__(self) -> Mapping[str, np.ndarray]: ...

    def get_state(self) -> Any: ...

    def set_state(self, state: Any) -> None: ...


class Feed:
    """An endless iterator of device batches that transfers `ahead` batches before they are asked for.

    Its state is that of the last batch handed out, not of the last one read, so a resumed run sees each
    batch once.
    """

    def __init__(self, batches: BatchIterator, sharding: NamedSharding, *, ahead: int = 2) -> None:
        if ahead < 1:
            raise ValueError(f"A feed holds at least 1 batch ahead, got ahead={ahead}.")
        self._batches = batches
        self._sharding = sharding
        self._ahead = ahead
        self._ready: deque[tuple[Batch, Any]] = deque()
        self._state = batches.get_state()

    def __iter__(self) -> "Feed":
        return self

    def __next__(self) -> Batch:
        while len(self._ready) < self._ahead:
            self._read()
        batch, self._state = self._ready.popleft()
        return batch

    def _read(self) -> None:
        batch = put_batch(next(self._batches), self._sharding)
        self._ready.append((batch, self._batches.get_state()))

    def get_state(self) -> Any:
        """The position after the last batch that was handed out."""
        return self._state

    def set_state(self, state: Any) -> None:
        """Go back (or forward) to a position; what was read ahead is dropped."""
        self._batches.set_state(state)
        self._ready.clear()
        self._state = state
