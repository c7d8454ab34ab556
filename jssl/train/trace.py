"""A trace of a few training steps, for TensorBoard's profiler or Perfetto."""

from pathlib import Path
from types import TracebackType
from typing import Any

import jax


class Trace:
    """Records some steps after the first ones, which still fill caches.

    Args:
        folder: where the trace is written; None: nothing is recorded.
        after: steps before it.
        steps: how many are recorded; fewer if the run ends before.
    """

    def __init__(self, folder: Path | None, *, after: int = 10, steps: int = 5) -> None:
        self._folder = folder
        self._after = after
        self._steps = steps
        self._done = 0
        self._running = False

    def before_step(self, state: Any) -> None:
        """Begin or end the recording, where it is time; `state` is that of the last step."""
        if self._folder is not None and self._done == self._after:
            jax.block_until_ready(state)
            jax.profiler.start_trace(self._folder, create_perfetto_trace=True)
            self._running = True
        elif self._running and self._done == self._after + self._steps:
            jax.block_until_ready(state)
            self._stop()
        self._done += 1

    def _stop(self) -> None:
        jax.profiler.stop_trace()
        self._running = False

    def __enter__(self) -> "Trace":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._running:
            self._stop()
