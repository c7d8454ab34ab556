"""Whole checkpoints of a run, on Orbax. Nothing else in jssl knows Orbax.

A checkpoint is written beside the run by a background thread and renamed into place when it is whole. It
holds the train state, the data pipeline's position and the position in the metrics' file. The newest `keep`
and the best one stay. When the newest cannot be read it is set aside and the one before it is taken.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers

from jssl.core import TrainState

Score = Callable[[dict[str, float]], float]


class Restored(NamedTuple):
    """What a checkpoint gave back."""

    step: int
    state: TrainState
    extra: dict[str, Any]


class Checkpoints:
    """The checkpoints of one run.

    Args:
        folder: where they lie; made if absent.
        name: of the experiment; a folder with checkpoints of another is refused.
        keep: how many of the newest stay.
        score: maps the metrics known at a save to a number; the checkpoint with the highest stays too.
        read_only: open finished checkpoints without writing or tidying up.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        keep: int = 3,
        score: Score | None = None,
        read_only: bool = False,
    ) -> None:
        if keep < 1:
            raise ValueError(f"A run keeps at least its newest checkpoint, got keep={keep}.")
        # Orbax logs each step of each save, and each thread's traceback of a failure that it also raises.
        logging.getLogger("absl").setLevel(logging.CRITICAL)
        self.folder = folder.absolute()
        self._name = name
        self._options = _options(keep, score, read_only)
        self._manager = self._open()

    def _open(self) -> ocp.CheckpointManager:
        return ocp.CheckpointManager(
            self.folder, options=self._options, item_names=("state", "extra", "metrics")
        )

    def steps(self) -> list[int]:
        """The steps that have a checkpoint, in order."""
        return sorted(self._manager.all_steps())

    def save(
        self, step: int, state: TrainState, extra: dict[str, Any], metrics: dict[str, float] | None = None
    ) -> None:
        """Begin to write a checkpoint; returns as soon as the state may change again.

        Args:
            step: of the state.
            state: the train state.
            extra: JSON-able: positions of the data pipeline and of the logs.
            metrics: the latest known, for `score`.

        Raises:
            SaveFailed: this or the one before it could not be written: a full disk, as a rule.
        """
        arrays = _without_key(state)
        about = {"name": self._name, "shapes": _shapes_by_path(arrays)}
        items = ocp.args.Composite(
            state=ocp.args.StandardSave(arrays), extra=ocp.args.JsonSave(about | extra)
        )
        with self._failures():
            self._manager.save(step, args=items, metrics=metrics or {}, force=True)

    def restore(self, like: TrainState, report: Callable[[str], None] = print) -> Restored | None:
        """The newest readable checkpoint, or None where there is none.

        Args:
            like: a train state of the right structure, shapes and placement: arrays, or their shapes.
            report: told about each checkpoint that could not be read.

        Raises:
            ValueError: the checkpoints are of another experiment, of another structure, or none is readable.
        """
        broken: list[int] = []
        for step in reversed(self.steps()):
            try:
                restored = self._read(step, like)
            except _Mismatch as error:
                raise ValueError(str(error)) from error
            except Exception as error:
                reason = (str(error) or type(error).__name__).splitlines()[0][:200]
                report(f"Checkpoint {step} cannot be read ({reason}); trying the one before it.")
                broken.append(step)
                continue
            self._set_aside(broken)
            return restored
        if broken:
            raise ValueError(
                f"None of the checkpoints {sorted(broken)} in {self.folder} can be read. Restore one from a "
                "backup, or start again with another --run-dir."
            )
        return None

    def _read(self, step: int, like: TrainState) -> Restored:
        extra = self._manager.restore(step, args=ocp.args.Composite(extra=ocp.args.JsonRestore()))["extra"]
        if extra["name"] != self._name:
            raise _Mismatch(
                f"{self.folder} holds checkpoints of another experiment: expected {self._name!r}, found "
                f"{extra['name']!r}. Use another --run-dir."
            )
        target = _target(like)
        self._check_shapes(step, expected=_shapes_by_path(target), found=extra["shapes"])
        state = self._manager.restore(step, args=ocp.args.Composite(state=ocp.args.StandardRestore(target)))
        return Restored(step, _with_key(state["state"]), extra)

    def _check_shapes(self, step: int, *, expected: dict[str, str], found: dict[str, str]) -> None:
        for path in sorted(expected.keys() | found.keys()):
            if expected.get(path) != found.get(path):
                raise _Mismatch(
                    f"Checkpoint {step} in {self.folder} does not fit this experiment: {path} is expected to "
                    f"be {expected.get(path, 'absent')} and is {found.get(path, 'absent')} there. Use the "
                    "arguments that it was trained with, or another --run-dir."
                )

    def _set_aside(self, steps: list[int]) -> None:
        for step in steps:
            source = self.folder / str(step)
            source.rename(self.folder.parent / f"unreadable-checkpoint-{step}")
        if steps:
            self._manager.close()
            self._manager = self._open()

    def wait(self) -> None:
        """Return when all that was saved is on disk; raises what the writing thread met."""
        with self._failures():
            self._manager.wait_until_finished()

    def close(self) -> None:
        """Finish writing and release the folder."""
        with self._failures():
            self._manager.close()

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            reason = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
            raise SaveFailed(f"A checkpoint could not be written to {self.folder} ({reason})") from error


class SaveFailed(OSError):
    """A checkpoint could not be written; those before it are whole."""


class _Mismatch(Exception):
    """The checkpoint is whole, but not of this experiment."""


def _options(keep: int, score: Score | None, read_only: bool) -> ocp.CheckpointManagerOptions:
    policies: list[Any] = [checkpoint_managers.LatestN(keep)]
    if score is not None:
        policies.append(checkpoint_managers.BestN(get_metric_fn=score, n=1))
    return ocp.CheckpointManagerOptions(
        preservation_policy=checkpoint_managers.AnyPreservationPolicy(policies),
        best_fn=score,
        cleanup_tmp_directories=not read_only,
        create=not read_only,
        read_only=read_only,
    )


def _without_key(state: TrainState) -> TrainState:
    """Typed keys are not arrays to Orbax."""
    return state._replace(key=jax.random.key_data(state.key))


def _with_key(state: TrainState) -> TrainState:
    return state._replace(key=jax.random.wrap_key_data(state.key))


def _target(like: TrainState) -> TrainState:
    """Shape, dtype and placement of what is stored."""
    key = jax.eval_shape(jax.random.key_data, like.key)
    placed = jax.ShapeDtypeStruct(key.shape, key.dtype, sharding=like.key.sharding)
    return jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding),
        like._replace(key=placed),  # type: ignore[arg-type]
    )


def _shapes_by_path(tree: Any) -> dict[str, str]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): f"{leaf.dtype}{list(leaf.shape)}"
        for path, leaf in leaves
    }
