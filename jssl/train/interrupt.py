"""SIGTERM and Ctrl-C as a request that the loop reads between two steps."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

import jax
from jax.experimental import multihost_utils


class Interrupted(Exception):
    """The run was asked to stop, and has saved its state.

    Attributes:
        signum: the signal's number; 128 + signum is the exit status that shells expect.
    """

    def __init__(self, signum: int, step: int) -> None:
        self.signum = signum
        super().__init__(
            f"Stopped by {signal.Signals(signum).name} after step {step}; the state is saved. "
            "The same command goes on from here."
        )


class StopRequest:
    """While entered, the first signal asks the loop to stop after its step; a second Ctrl-C stops at once.

    Of several processes any may get the SIGTERM, as where one host is preempted: JAX tells the others, and
    all stop after the same step.
    """

    def __init__(self) -> None:
        self._signum: int | None = None
        self._several = jax.process_count() > 1
        self._previous: dict[int, Any] = {}

    def after(self, step: int) -> int | None:
        """The signal with which to stop after this step, or None; asked once after each step."""
        if self._several:
            return signal.SIGTERM if multihost_utils.reached_preemption_sync_point(step) else None
        return self._signum

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if self._signum is not None and signum == signal.SIGINT:
            raise KeyboardInterrupt
        self._signum = signum

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is threading.main_thread() and not self._several:
            for signum in (signal.SIGTERM, signal.SIGINT):
                self._previous[signum] = signal.signal(signum, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for signum, handler in self._previous.items():
            signal.signal(signum, handler)
