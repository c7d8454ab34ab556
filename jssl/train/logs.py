"""Metrics to `metrics.jsonl` and TensorBoard; a resumed run goes on exactly where its checkpoint stood."""

import json
import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from tensorboardX import SummaryWriter


class Logs:
    """The metrics of one run, appended row by row.

    A row is a JSON object with "step" and scalars by name. Rows before a checkpoint stay; rows after it
    are cut off when the run goes on from it, so that the file reads as if nothing had happened.

    Args:
        folder: the run's folder; None: nothing is written, another process does.
        position: what `position()` gave at the checkpoint; None for a new run.
    """

    def __init__(self, folder: Path | None, position: dict[str, Any] | None = None) -> None:
        start = position or {"bytes": 0, "step": 0, "latest": {}}
        self._file = _nowhere() if folder is None else _opened(folder / "metrics.jsonl", start["bytes"])
        purge = start["step"] + 1 if position else None
        board = "" if folder is None else str(folder / "tensorboard")
        self._board = SummaryWriter(board, purge_step=purge, write_to_disk=folder is not None)
        self._step: int = start["step"]
        self.latest: dict[str, float] = dict(start["latest"])

    def write(self, step: int, metrics: dict[str, float]) -> None:
        """Append one row."""
        self._file.write(json.dumps({"step": step, **metrics}) + "\n")
        self._file.flush()
        for name, value in metrics.items():
            self._board.add_scalar(name, value, step)
        self._step = step
        self.latest.update(metrics)

    def position(self) -> dict[str, Any]:
        """Where the log stands, JSON-able, for a checkpoint."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return {"bytes": self._file.tell(), "step": self._step, "latest": self.latest}

    def __enter__(self) -> "Logs":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._board.close()


def _opened(path: Path, size: int) -> IO[str]:
    """The file for appending, cut to what stood in it."""
    path.touch()
    os.truncate(path, min(size, path.stat().st_size))
    return path.open("a", encoding="utf-8")


def _nowhere() -> IO[str]:
    return tempfile.TemporaryFile("w", encoding="utf-8")
