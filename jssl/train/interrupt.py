"""SIGTERM and Ctrl-C as a request that the loop reads between two steps."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any


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
    """While entered, the first signal asks the loop to stop after its step; a second Ctrl-C stops at once."""

    def __init__(self) -> None:
        self.signum: int | None = None
        self._previous: dict[int, Any] = {}

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if self.signum is not None and signum == signal.SIGINT:
            raise KeyboardInterrupt
        self.signum = signum

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is threading.main_thread():
            for signum in (signal.SIGTERM, signal.SIGINT):
                self._previous[signum] = signal.signal(signum, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for signum, handler in self._previous.items():
            signal.signal(signum, handler)
