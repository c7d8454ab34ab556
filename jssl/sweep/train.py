"""Trains the runs of a sweep in one program, each into its own folder, and evaluates each."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from itertools import groupby
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jssl.core import TrainState
from jssl.data import Example, Loader, loader
from jssl.locate import Factory, documentation, source
from jssl.run_folder import Origin, open_folder, record
from jssl.runner import Run, run
from jssl.session import Session
from jssl.sweep.members import Member, members
from jssl.sweep.together import Together, together
from jssl.train import Feed, Logs, NonFiniteLoss, ProgressReport, RunBooks, device_mesh, fit


def sweep(factory: Factory, choices: Sequence[dict[str, Any]], folder: str | Path) -> dict[str, Run | None]:
    """Train the experiments that the choices make in one program, then evaluate each.

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
    program = together(factory, runs)
    first = runs[0].experiment
    with ExitStack() as stack:
        own = [sessions[member.name] for member in runs]
        checkpoints = [stack.enter_context(closing(session.checkpoints())) for session in own]
        shapes = own[0].program.state_shapes()
        restored = [own_checkpoints.restore(shapes) for own_checkpoints in checkpoints]
        begun = [x for x in restored if x is not None]
        states = program.stack([x.state for x in begun]) if begun else program.initial_state()
        start = begun[0].step if begun else 0
        progress = stack.enter_context(
            ProgressReport(num_steps=first.steps, start=start, batch_size=first.batch_size * len(runs))
        )
        books, batches = [], []
        for member, session, saved, own_checkpoints in zip(runs, own, restored, checkpoints, strict=True):
            logs = stack.enter_context(Logs(session.folder, saved.extra["logs"] if saved else None))
            books.append(session.books(logs, own_checkpoints, progress))
            batches.append(
                loader(member.experiment.data.train, batch_size=first.batch_size, seed=member.experiment.seed)
            )
        feed = Feed(Batches(batches), program.place)
        if begun:
            feed.set_state([x.extra["data"] for x in begun])
        shared = SharedBooks(
            {m.name: b for m, b in zip(runs, books, strict=True)}, own[0].program.placement, program, progress
        )
        fit(
            program.step,
            states,
            feed,
            shared,
            start=start,
            num_steps=first.steps,
            save_every=first.save_every,
            progress=progress,
        )
        return shared.lost


class Batches:
    """The batches of several runs as one, with the runs as their first axis."""

    def __init__(self, batches: Sequence[Loader]) -> None:
        self._batches = batches

    def __next__(self) -> Example:
        rows = [next(own) for own in self._batches]
        return {name: np.stack([row[name] for row in rows]) for name in rows[0]}

    def get_state(self) -> list[Any]:
        """The position of each run in its data."""
        return [own.get_state() for own in self._batches]

    def set_state(self, state: list[Any]) -> None:
        """Go to a position of each run."""
        for own, position in zip(self._batches, state, strict=True):
            own.set_state(position)


class SharedBooks:
    """Logs, checkpoints and evaluations of several runs; one whose loss is not finite is left alone."""

    def __init__(
        self, runs: dict[str, RunBooks], placement: TrainState, program: Together, progress: ProgressReport
    ) -> None:
        self._runs = runs
        self._placement = placement
        self._program = program
        self._progress = progress
        self.lost: set[str] = set()

    def _kept(self) -> Iterator[tuple[int, str, RunBooks]]:
        for index, (name, books) in enumerate(self._runs.items()):
            if name not in self.lost:
                yield index, name, books

    def log(self, number: int, metrics: Mapping[str, Any], rate: float) -> None:
        """Each run's own metrics."""
        for index, name, books in self._kept():
            try:
                own = {metric: values[index] for metric, values in metrics.items()}
                books.log(number, own, rate / len(self._runs))
            except NonFiniteLoss as error:
                self.lost.add(name)
                self._progress.say(f"{name} is given up. {error}")

    def looks_at(self, number: int) -> bool:
        """Whether the runs are evaluated after this step, all at the same steps."""
        return next(iter(self._runs.values())).looks_at(number)

    def look(self, number: int, states: Any) -> Any:
        """Evaluate each run."""
        for index, _, books in self._kept():
            books.look(number, self._own(states, index))
        return states

    def save(self, number: int, states: Any, position: list[Any]) -> None:
        """Write a checkpoint of each run, as it would have written it alone."""
        for index, _, books in self._kept():
            books.save(number, self._own(states, index), position[index])

    def wait(self) -> None:
        """Until all checkpoints are on disk."""
        for books in self._runs.values():
            books.wait()

    def _own(self, states: Any, index: int) -> TrainState:
        """The state of one run, where it would lie if it trained alone."""
        return jax.device_put(self._program.own(states, index), self._placement)
