"""From a source to an endless stream of shuffled batches that can be resumed anywhere.

The stream is a pure function of its position: step `s` of the loader is rows `s * batch_size` to
`(s + 1) * batch_size` of the epochs' permutations, one after the other. So threads, worker processes, the
number of hosts and a restart cannot change what a batch holds, and the whole state is the number of steps.
"""

import functools
import sys
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from jssl.data.source import Example, Source, fetch, mapped


@functools.lru_cache(maxsize=4)
def epoch_order(seed: int, epoch: int, num_examples: int) -> np.ndarray:
    """The permutation of an epoch.

    It sorts the raw words of a counter-based generator: NumPy promises that these stay the same from version
    to version, and does not for its own `permutation`.
    """
    words = np.random.Philox(key=np.array([seed, epoch], np.uint64)).random_raw(num_examples)
    return np.argsort(words, kind="stable")


def rows(seed: int, start: int, stop: int, num_examples: int) -> np.ndarray:
    """The examples' indices at the positions from `start` to `stop` of the endless stream of epochs."""
    positions = np.arange(start, stop)
    epochs, offsets = np.divmod(positions, num_examples)
    indices = np.empty(len(positions), np.int64)
    for epoch in np.unique(epochs).tolist():
        inside = epochs == epoch
        indices[inside] = epoch_order(seed, epoch, num_examples)[offsets[inside]]
    return indices


class Batches:
    """The stream as a random-access source of batches; what grain reads, in threads or processes."""

    def __init__(self, source: Source, seed: int, batch_size: int, first_step: int, share: slice):
        self.source = source
        self.seed = seed
        self.batch_size = batch_size
        self.first_step = first_step
        self.share = share

    def __len__(self) -> int:
        return sys.maxsize

    def __getitem__(self, index: int) -> Example:
        start = (self.first_step + index) * self.batch_size
        share = slice(start + self.share.start, start + self.share.stop)
        return fetch(self.source, rows(self.seed, share.start, share.stop, len(self.source)))


def batches(stream: Batches, threads: int, workers: int) -> Any:
    """grain's iterator over the stream, which keeps two batches a thread ready."""
    import grain

    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=2 * threads)
    dataset = grain.MapDataset.source(stream).to_iter_dataset(options)
    if workers:
        parse_flags()
        processes = grain.MultiprocessingOptions(num_workers=workers, per_worker_buffer_size=2)
        dataset = dataset.mp_prefetch(processes)
    return iter(dataset)


def parse_flags() -> None:
    """grain's worker processes read absl's flags, which a program that is no absl app never parses."""
    from absl import flags

    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()


def close_all(opened: list[Any]) -> None:
    """Closes iterators and lets go of them."""
    while opened:
        opened.pop().close()


class Loader(Iterator[Example]):
    """An endless iterator of batches. `get_state` and `set_state` resume it exactly; see `loader`."""

    def __init__(self, source: Source, seed: int, batch_size: int, share: slice, threads: int, workers: int):
        self._new_stream = functools.partial(Batches, source, seed, batch_size, share=share)
        self._threads = threads
        self._workers = workers
        self._identity = {"seed": seed, "batch_size": batch_size, "num_examples": len(source)}
        self._step = 0
        self._opened: list[Any] = []
        # Also at the interpreter's exit, where grain's own clean-up comes too late.
        weakref.finalize(self, close_all, self._opened)

    def __next__(self) -> Example:
        if not self._opened:
            stream = self._new_stream(first_step=self._step)
            self._opened.append(batches(stream, self._threads, self._workers))
        batch = next(self._opened[0])
        self._step += 1
        # What worker processes send lies in shared memory, which is gone with the workers.
        return {name: np.array(values) for name, values in batch.items()} if self._workers else batch

    def get_state(self) -> dict[str, int]:
        """The position, for JSON: the number of batches taken, and what they were cut from."""
        return {"step": self._step, **self._identity}

    def set_state(self, state: dict[str, int]) -> None:
        """Goes to the position of `get_state`, of a loader with any number of threads, workers and processes.

        Raises:
            ValueError: the state is of another stream: its seed, batch size or number of examples differ.
        """
        identity = {name: value for name, value in state.items() if name != "step"}
        if identity != self._identity:
            raise ValueError(
                f"expected the state of a loader with {self._identity}, got {identity}; "
                "make the loader as it was, or begin anew"
            )
        self.close()
        self._step = state["step"]

    def close(self) -> None:
        """Ends the threads and worker processes; the next batch starts them again."""
        close_all(self._opened)


def check_sizes(num_examples: int, batch_size: int, process_index: int, process_count: int) -> None:
    """Refuses batches that cannot be cut from the source or shared among the processes."""
    if not 1 <= batch_size <= num_examples:
        raise ValueError(
            f"expected a batch_size from 1 to the source's {num_examples} examples, got {batch_size}: "
            "a larger batch would hold examples twice"
        )
    if not 0 <= process_index < process_count:
        raise ValueError(f"expected process_index in [0, {process_count}), got {process_index}")
    if batch_size % process_count:
        raise ValueError(
            f"expected a batch_size that {process_count} processes can share, got {batch_size}; "
            f"{batch_size - batch_size % process_count} would do"
        )


def loader(
    source: Source,
    *,
    batch_size: int,
    seed: int,
    transform: Callable[[Example], Example] | None = None,
    process_index: int = 0,
    process_count: int = 1,
    threads: int = 4,
    workers: int = 0,
) -> Loader:
    """An endless iterator of shuffled batches, the same for any number of threads, workers and processes.

    Each epoch is a permutation of the source, another one in each epoch. Epochs flow into each other: where
    the batch size does not divide the source, one batch holds the end of an epoch and the beginning of the
    next, so every example is seen once an epoch and every batch is full.

    Args:
        source: random access to examples of one shape; read by `__getitems__` where it has that.
        batch_size: of the global batch, over all processes.
        seed: of the shuffle, at least 0.
        transform: a pure function of one example, run on the host. Random changes belong on the device.
        process_index: this process's number; it gets rows p * batch_size / process_count and on of the global
            batch (`jax.process_index()`).
        process_count: the number of processes (`jax.process_count()`).
        threads: threads that read batches ahead, in each worker process where there are such.
        workers: worker processes, for decoding that Python's lock would hold up; 0: threads only. The source
            is pickled to them, and the main module must be importable (`if __name__ == "__main__":`).

    Returns:
        A `Loader`: `next(it)` is {name: [batch_size / process_count, ...]}; `it.get_state()` and
        `it.set_state(state)` resume in the middle of an epoch, bit for bit; `it.close()` ends its threads.

    Raises:
        ValueError: a batch larger than the source, or not divisible by the processes; no thread; a negative
            seed; while iterating: what the source raises.
    """
    check_sizes(len(source), batch_size, process_index, process_count)
    if threads < 1 or workers < 0 or seed < 0:
        raise ValueError(
            f"expected threads >= 1, workers >= 0 and seed >= 0, got threads={threads}, workers={workers}, "
            f"seed={seed}"
        )
    rows_each = batch_size // process_count
    share = slice(process_index * rows_each, (process_index + 1) * rows_each)
    examples = mapped(source, transform) if transform else source
    return Loader(examples, seed, batch_size, share, threads, workers)
