"""The loop: feed, step, log, now and then save and evaluate. It knows no method and no data set."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax

from jssl.core import Batch, Metrics, TrainState
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


def fit(
    step: Callable[[TrainState, Batch], tuple[TrainState, Metrics]],
    state: TrainState,
    feed: Feed,
    *,
    num_steps: int,
    logs: Logs,
    checkpoints: Checkpoints,
    progress: ProgressReport,
    hooks: Sequence[Hook] = (),
    trace: Path | None = None,
    log_every: int = 10,
    save_every: int = 500,
) -> TrainState:
    """Train until `num_steps`.

    The metrics of a step are fetched while the next one runs, so the device never waits for the log. The
    loss of every step is checked before anything that follows from it is saved.

    Args:
        step: the compiled training step; it may consume (donate) the state given to it.
        state: where to begin.
        feed: device batches.
        num_steps: the step to end at, counted from the run's very beginning.
        logs: rows go there every `log_every` steps.
        checkpoints: written every `save_every` steps, at the end, and when asked to stop.
        progress: shown to the user.
        hooks: evaluations and refreshes.
        trace: folder in which a few steps are recorded, see `Trace`.
        log_every: steps between two rows.
        save_every: steps between two checkpoints.

    Returns:
        The state after the last step.

    Raises:
        NonFiniteLoss: names the step and the last good checkpoint.
        Interrupted: after SIGTERM or Ctrl-C, once the state is saved.
    """
    late = _LateMetrics(logs, progress, checkpoints, log_every)
    with StopRequest() as stop, Trace(trace) as recorded:
        for number in range(int(state.step) + 1, num_steps + 1):
            recorded.before_step(state)
            state, metrics = step(state, next(feed))
            late.push(number, metrics)
            for hook in hooks:
                if number % hook.every == 0:
                    late.flush()
                    state, row = hook.run(state)
                    if row:
                        logs.write(number, row)
            signum = stop.after(number)
            if number % save_every == 0 or number == num_steps or signum:
                late.flush()
                extra = {"data": feed.get_state(), "logs": logs.position()}
                checkpoints.save(number, state, extra, logs.latest)
            if signum:
                checkpoints.wait()
                raise Interrupted(signum, number)
    checkpoints.wait()
    return state


class _LateMetrics:
    """Holds the newest metrics on the device until the next step has been sent off."""

    def __init__(
        self, logs: Logs, progress: ProgressReport, checkpoints: Checkpoints, log_every: int
    ) -> None:
        self._logs = logs
        self._progress = progress
        self._checkpoints = checkpoints
        self._log_every = log_every
        self._waiting: tuple[int, Metrics] | None = None

    def push(self, number: int, metrics: Metrics) -> None:
        for value in metrics.values():
            value.copy_to_host_async()
        self.flush()
        self._waiting = (number, metrics)

    def flush(self) -> None:
        if self._waiting is None:
            return
        number, on_device = self._waiting
        self._waiting = None
        metrics = {name: float(value) for name, value in jax.device_get(on_device).items()}
        if not math.isfinite(metrics["loss"]):
            raise NonFiniteLoss(self._explain(number, metrics))
        rate = self._progress.update(number, metrics["loss"])
        if number % self._log_every == 0:
            self._logs.write(number, metrics | {"time/examples_per_second": rate})

    def _explain(self, number: int, metrics: dict[str, Any]) -> str:
        saved = self._checkpoints.steps()
        good = f"step {saved[-1]}" if saved else "none yet"
        norm = metrics.get("gradient/norm", math.nan)
        return (
            f"The loss is {metrics['loss']} at step {number} (gradient norm {norm:.3g}). "
            f"The last good checkpoint: {good}. Likely causes: a learning rate that is too high or has no "
            "warm-up; a temperature too close to 0; half precision without float32 losses; input that is not "
            "in [0, 1]. Lower the learning rate, or clip gradients with optax.clip_by_global_norm, and use "
            "another --run-dir."
        )
