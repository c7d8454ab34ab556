"""How far a run is: a live bar on a terminal, a line now and then in a log file."""

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn


class ProgressReport:
    """Shows step, loss, examples per second and time left.

    Args:
        num_steps: of the whole run.
        start: the step that the run goes on from.
        batch_size: examples a step.
        every: seconds between two lines in a log file.
    """

    def __init__(self, *, num_steps: int, start: int, batch_size: int, every: float = 15.0) -> None:
        self._num_steps = num_steps
        self._batch_size = batch_size
        self._every = every
        self._console = Console()
        self._live = self._console.is_terminal
        self._bar = Progress(
            TextColumn("step {task.completed:,}/{task.total:,}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.description}"),
            console=self._console,
            refresh_per_second=2,
        )
        self._task = self._bar.add_task("compiling", total=num_steps, completed=start)
        self._first: tuple[int, float] | None = None
        self._last_line = 0.0

    def update(self, step: int, loss: float) -> float:
        """Tell that `step` is done; returns examples per second since the first update."""
        now = time.monotonic()
        if self._first is None:
            self._first = (step, now)
        first_step, first_time = self._first
        rate = (step - first_step) / max(now - first_time, 1e-9)
        examples_per_second = rate * self._batch_size
        self._show(step, loss, rate, now)
        return examples_per_second

    def _show(self, step: int, loss: float, rate: float, now: float) -> None:
        due = now - self._last_line >= self._every or step == self._num_steps
        if not self._live and not due:
            return
        text = f"loss {loss:.4f}"
        if rate:
            left = _clock((self._num_steps - step) / rate)
            text += f"  {rate * self._batch_size:,.0f} examples/s  {left} left"
        if self._live:
            self._bar.update(self._task, completed=step, description=text)
        else:
            self._last_line = now
            share = 100 * step // self._num_steps
            print(f"step {step:,}/{self._num_steps:,} ({share} %)  {text}", flush=True)

    def say(self, text: str) -> None:
        """Print a line without breaking the bar."""
        if self._live:
            self._bar.console.print(text, highlight=False, markup=False)
        else:
            print(text, flush=True)

    def __enter__(self) -> "ProgressReport":
        if self._live:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._bar.stop()
        sys.stdout.flush()


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
