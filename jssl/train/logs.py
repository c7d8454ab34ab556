"""Metrics to `metrics.jsonl` and TensorBoard; a resumed run goes on exactly where its checkpoint stood."""

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any

from tensorboardX import SummaryWriter


class Logs:
    """The metrics of one run, appended row by row.

    A row is a JSON object with "step" and scalars by name. Rows before a checkpoint stay; rows after it
    are cut off when the run goes on from it, so that the file reads as if nothing had happened.

    Args:
        folder: the run's folder.
        position: what `position()` gave at the checkpoint; None for a new run.
    """

    def __init__(self, folder: Path, position: dict[str, Any] | None = None) -> None:
        path = folder / "metrics.jsonl"
        start = position or {"bytes": 0, "step": 0, "latest": {}}
        path.touch()
        os.truncate(path, min(start["bytes"], path.stat().st_size))
        self._file = path.open("a", encoding="utf-8")
        purge = start["step"] + 1 if position else None
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=purge)
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
