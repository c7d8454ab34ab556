"""Trains the runs of a sweep side by side, each into its own folder, and evaluates each."""

import math
from collections.abc import Sequence
from contextlib import ExitStack, closing
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import jax

from jssl.core import TrainState
from jssl.data import Loader, loader
from jssl.locate import Factory, documentation, source
from jssl.run_folder import Origin, open_folder, record
from jssl.runner import Run, run
from jssl.session import Session
from jssl.spec import Experiment
from jssl.sweep.members import Member, members
from jssl.sweep.together import States, Together
from jssl.train import Checkpoints, Hook, Interrupted, Logs, ProgressReport, StopRequest, device_mesh


class Lane(NamedTuple):
    """What one run has of its own while it trains beside the others."""

    name: str
    batches: Loader
    checkpoints: Checkpoints
    logs: Logs
    hooks: list[Hook]
    placement: TrainState


def sweep(factory: Factory, choices: Sequence[dict[str, Any]], folder: str | Path) -> dict[str, Run | None]:
    """Train the experiments that the choices make side by side in one program, then evaluate each.

    Their folders are those that the runs would have alone: a sweep that was stopped goes on by the same call,
    one with further choices trains what is missing, and each run can be gone on with alone.

    Args:
        factory: of the experiments.
        choices: arguments of each run; they differ in `seed` and in fractional numbers only.
        folder: where the runs' folders are made.

    Returns:
        The runs by the names of their folders; None for one whose loss was not finite.

    Raises:
        ValueError: the choices don't make one program, or the folders hold something else.
        Interrupted: after SIGTERM or Ctrl-C, once the state of each run is saved.
    """
    runs = members(factory, choices)
    description = documentation(factory).split("\n")[0]
    origins = {x.name: Origin(x.arguments, source(factory), description) for x in runs}
    sessions = {}
    for member in runs:
        own = Path(folder) / member.name
        open_folder(own, record(member.experiment.name, origins[member.name], jax.devices()[:1]))
        sessions[member.name] = Session(member.experiment, device_mesh(jax.devices()[:1]), own)
    steps = {name: _newest(session) for name, session in sessions.items()}
    missing = [member for member in runs if steps[member.name] < member.experiment.steps]
    lost: set[str] = set()
    for _, group in groupby(sorted(missing, key=lambda x: steps[x.name]), key=lambda x: steps[x.name]):
        lost |= _train(factory, list(group), sessions)
    return {
        x.name: None
        if x.name in lost
        else run(x.experiment, run_dir=Path(folder) / x.name, mesh="data=1", origin=origins[x.name])
        for x in runs
    }


def _newest(session: Session) -> int:
    """The step of the newest checkpoint, 0 without one."""
    with closing(session.checkpoints(read_only=True)) as checkpoints:
        return max(checkpoints.steps(), default=0)


def _train(factory: Factory, runs: list[Member], sessions: dict[str, Session]) -> set[str]:
    """Train runs that have come equally far to the end; the names of those whose loss was not finite."""
    together = Together(factory, runs)
    first = runs[0].experiment
    with ExitStack() as stack:
        own = [sessions[member.name] for member in runs]
        checkpoints = [stack.enter_context(closing(session.checkpoints())) for session in own]
        restored = [c.restore(s.program.state_shapes()) for c, s in zip(checkpoints, own, strict=True)]
        begun = [x for x in restored if x is not None]
        states = together.stack([x.state for x in begun]) if begun else together.initial_state()
        start = begun[0].step if begun else 0
        progress = stack.enter_context(
            ProgressReport(num_steps=first.steps, start=start, batch_size=first.batch_size * len(runs))
        )
        lanes = []
        for index, (member, session) in enumerate(zip(runs, own, strict=True)):
            saved = restored[index]
            logs = stack.enter_context(Logs(session.folder, saved.extra["logs"] if saved else None))
            batches = loader(
                member.experiment.data.train, batch_size=first.batch_size, seed=member.experiment.seed
            )
            if saved is not None:
                batches.set_state(saved.extra["data"])
            hooks = session.hooks(logs, progress)
            place = session.program.placement
            lanes.append(Lane(member.name, batches, checkpoints[index], logs, hooks, place))
        return _loop(together, lanes, states, start, first, progress)


def _loop(
    together: Together,
    lanes: list[Lane],
    states: States,
    start: int,
    like: Experiment,
    progress: ProgressReport,
) -> set[str]:
    """The loop of `train.fit` for several runs: metrics are fetched a step late, a lost run is left alone."""
    lost: set[str] = set()
    waiting: tuple[int, dict[str, jax.Array]] | None = None

    def flush() -> None:
        nonlocal waiting
        if waiting is None:
            return
        number, metrics = waiting[0], jax.device_get(waiting[1])
        waiting = None
        finite = [float(loss) for loss in metrics["loss"] if math.isfinite(loss)]
        rate = progress.update(number, sum(finite) / len(finite) if finite else math.nan) / len(lanes)
        for index, lane in enumerate(lanes):
            row = {name: float(values[index]) for name, values in metrics.items()}
            if not math.isfinite(row["loss"]) and lane.name not in lost:
                lost.add(lane.name)
                progress.say(f"The loss of {lane.name} is {row['loss']} at step {number}: it is given up.")
            if lane.name not in lost and number % like.log_every == 0:
                lane.logs.write(number, row | {"time/examples_per_second": rate})

    with StopRequest() as stop:
        for number in range(start + 1, like.steps + 1):
            batch = together.feed([next(lane.batches) for lane in lanes])
            states, metrics = together.step(states, batch)
            flush()
            waiting = number, metrics
            if any(number % hook.every == 0 for hook in lanes[0].hooks):
                flush()
                for index, lane in enumerate(lanes):
                    if lane.name not in lost:
                        _look(lane, number, _one(states, index, lane.placement))
            signum = stop.after(number)
            if number % like.save_every == 0 or number == like.steps or signum:
                flush()
                for index, lane in enumerate(lanes):
                    if lane.name not in lost:
                        extra = {"data": lane.batches.get_state(), "logs": lane.logs.position()}
                        own = _one(states, index, lane.placement)
                        lane.checkpoints.save(number, own, extra, lane.logs.latest)
            if signum:
                for lane in lanes:
                    lane.checkpoints.wait()
                raise Interrupted(signum, number)
    for lane in lanes:
        lane.checkpoints.wait()
    return lost


def _look(lane: Lane, number: int, state: TrainState) -> None:
    """What is measured of a run at this step."""
    for hook in lane.hooks:
        if number % hook.every == 0:
            _, row = hook.run(state)
            if row:
                lane.logs.write(number, row)


def _one(states: States, index: int, placement: TrainState) -> TrainState:
    """The state of one run, where it would lie if it trained alone."""
    own = states._replace(key=jax.random.clone(states.key))
    return jax.device_put(jax.tree.map(lambda x: x[index], own), placement)
