"""The loop: feed, step, log, now and then save and evaluate. It knows no method and no data set."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import numpy as np

from jssl.core import Batch, TrainState, Tree
from jssl.train.checkpoint import Checkpoints
from jssl.train.feed import Feed
from jssl.train.interrupt import Interrupted, StopRequest
from jssl.train.logs import Logs
from jssl.train.progress import ProgressReport
from jssl.train.trace import Trace


class NonFiniteLoss(Exception):
    """The loss became infinite or not a number."""


class Hook(NamedTuple):
    """Something done to the state every `every` steps, between two steps.

    run: `(state) -> (state, metrics)`; the metrics become a row of the log.
    """

    every: int
    run: Callable[[TrainState], tuple[TrainState, dict[str, float]]]


@runtime_checkable
class Books(Protocol):
    """What is kept of training: of one run (`RunBooks`), or of several that train in one program."""

    def log(self, number: int, metrics: Mapping[str, Any], rate: float) -> None: ...

    def looks_at(self, number: int) -> bool: ...

    def look(self, number: int, state: Tree) -> Tree: ...

    def save(self, number: int, state: Tree, position: Any) -> None: ...

    def wait(self) -> None: ...


class RunBooks(NamedTuple):
    """The logs, the checkpoints and the evaluations of one run.

    Attributes:
        logs: rows go there every `log_every` steps.
        checkpoints: of the run.
        hooks: evaluations and refreshes.
        log_every: steps between two rows.
    """

    logs: Logs
    checkpoints: Checkpoints
    hooks: Sequence[Hook]
    log_every: int

    def log(self, number: int, metrics: Mapping[str, Any], rate: float) -> None:
        """The metrics of a step, of which every loss is checked, and the examples per second."""
        row = {name: float(value) for name, value in metrics.items()}
        if not math.isfinite(row["loss"]):
            raise NonFiniteLoss(self._explain(number, row))
        if number % self.log_every == 0:
            self.logs.write(number, row | {"time/examples_per_second": rate})

    def looks_at(self, number: int) -> bool:
        """Whether `look` has something to do after this step."""
        return any(number % hook.every == 0 for hook in self.hooks)

    def look(self, number: int, state: TrainState) -> TrainState:
        """Run the hooks of this step."""
        for hook in self.hooks:
            if number % hook.every == 0:
                state, row = hook.run(state)
                if row:
                    self.logs.write(number, row)
        return state

    def save(self, number: int, state: TrainState, position: Any) -> None:
        """Write a checkpoint, with the position in the data."""
        extra = {"data": position, "logs": self.logs.position()}
        self.checkpoints.save(number, state, extra, self.logs.latest)

    def wait(self) -> None:
        """Until the checkpoints are on disk."""
        self.checkpoints.wait()

    def _explain(self, number: int, metrics: dict[str, float]) -> str:
        saved = self.checkpoints.steps()
        good = f"step {saved[-1]}" if saved else "none yet"
        norm = metrics.get("gradient/norm", math.nan)
        return (
            f"The loss is {metrics['loss']} at step {number} (gradient norm {norm:.3g}). "
            f"The last good checkpoint: {good}. Likely causes: a learning rate that is too high or has no "
            "warm-up; a temperature too close to 0; half precision without float32 losses; input that is not "
            "in [0, 1]. Lower the learning rate, or clip gradients with optax.clip_by_global_norm, and use "
            "another --run-dir."
        )


def fit(
    step: Callable[[Tree, Batch], tuple[Tree, Mapping[str, Any]]],
    state: Tree,
    feed: Feed,
    books: Books,
    *,
    start: int,
    num_steps: int,
    save_every: int,
    progress: ProgressReport,
    trace: Path | None = None,
) -> Tree:
    """Train until `num_steps`.

    The metrics of a step are fetched while the next one runs, so the device never waits for the log. The
    loss of every step is checked before anything that follows from it is saved.

    Args:
        step: the compiled training step; it may consume (donate) the state given to it.
        state: where to begin: a `TrainState`, or those of several runs.
        feed: device batches.
        books: what is logged, evaluated and saved.
        start: steps that lie behind the state.
        num_steps: the step to end at, counted from the run's very beginning.
        save_every: steps between two checkpoints; one more is written at the end, and when asked to stop.
        progress: shown to the user.
        trace: folder in which a few steps are recorded, see `Trace`.

    Returns:
        The state after the last step.

    Raises:
        NonFiniteLoss: names the step and the last good checkpoint.
        Interrupted: after SIGTERM or Ctrl-C, once the state is saved.
    """
    late = _LateMetrics(books, progress)
    with StopRequest() as stop, Trace(trace) as recorded:
        for number in range(start + 1, num_steps + 1):
            recorded.before_step(state)
            state, metrics = step(state, next(feed))
            late.push(number, metrics)
            if books.looks_at(number):
                late.flush()
                state = books.look(number, state)
            signum = stop.after(number)
            if number % save_every == 0 or number == num_steps or signum:
                late.flush()
                books.save(number, state, feed.get_state())
            if signum:
                books.wait()
                raise Interrupted(signum, number)
    books.wait()
    return state


class _LateMetrics:
    """Holds the newest metrics on the device until the next step has been sent off."""

    def __init__(self, books: Books, progress: ProgressReport) -> None:
        self._books = books
        self._progress = progress
        self._waiting: tuple[int, Mapping[str, Any]] | None = None

    def push(self, number: int, metrics: Mapping[str, Any]) -> None:
        for value in jax.tree.leaves(metrics):
            value.copy_to_host_async()
        self.flush()
        self._waiting = (number, metrics)

    def flush(self) -> None:
        if self._waiting is None:
            return
        number, on_device = self._waiting
        self._waiting = None
        metrics: Mapping[str, Any] = jax.device_get(on_device)
        losses = np.asarray(metrics["loss"])
        finite = losses[np.isfinite(losses)]
        rate = self._progress.update(number, float(finite.mean()) if finite.size else math.nan)
        self._books.log(number, metrics, rate)
