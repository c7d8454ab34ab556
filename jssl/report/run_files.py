"""Reads a run folder. What is absent stays empty; what is damaged becomes a problem that the page states."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

MAX_EXAMPLES = 2_000


class Series(NamedTuple):
    """One metric over a run: steps [n] in rising order, values [n] float64, NaN where not finite."""

    steps: np.ndarray
    values: np.ndarray


class Embeddings(NamedTuple):
    """Test examples as the trained encoder sees them; the first axis of every array is the example."""

    features: np.ndarray
    labels: np.ndarray | None
    inputs: np.ndarray | None
    predictions: np.ndarray | None

    def first(self, count: int) -> Embeddings:
        """The first `count` examples."""
        rest = (None if array is None else array[:count] for array in self[1:])
        return Embeddings(self.features[:count], *rest)


class Piece(NamedTuple):
    """A part of a text: as it was, and what was guessed in its place if it was hidden.

    seen: what the network saw there, if that was not the mask.
    special: the name of a token that is no text.
    """

    text: str
    guess: str | None = None
    seen: str | None = None
    special: bool = False


class Tagged(NamedTuple):
    """Part of a text: none of an entity, or of one that is there, was found, or both.

    truth: the kind of the entity that is there.
    guess: the kind of the one that was found.
    right: whether it was found as it is, with both ends.
    """

    text: str
    truth: str | None = None
    guess: str | None = None
    right: bool = False


class Texts(NamedTuple):
    """What the page shows of texts.

    hidden: rows with hidden words, by the name of what is shown.
    examples: the test examples' texts in their order.
    tagged: some of these with their entities.
    """

    hidden: dict[str, list[list[Piece]]]
    examples: list[str]
    tagged: list[list[Tagged]]


class Sample(NamedTuple):
    """A text that the model made after some steps."""

    step: int
    text: str


class Run(NamedTuple):
    """All that the page is drawn from."""

    folder: Path
    config: dict[str, Any]
    metrics: dict[str, Series]
    results: dict[str, Any]
    embeddings: Embeddings | None
    pictures: dict[str, np.ndarray]
    texts: Texts
    samples: list[Sample]
    problems: list[str]

    def class_name(self, label: int) -> str:
        """The name of a class, or its number where the run has no names."""
        names = self.results.get("classes") or []
        if label < 0:
            return "unlabelled"
        return str(names[label]) if label < len(names) else f"class {label}"


def read(run_dir: str | Path) -> Run:
    """Read a run folder.

    Raises:
        ValueError: the folder is missing or holds neither config.json nor metrics.jsonl.
    """
    folder = Path(run_dir)
    if not folder.is_dir():
        raise ValueError(
            f"expected a run folder, got {str(folder)!r}, which is not a directory; pass runs/NAME"
        )
    if not any((folder / name).is_file() for name in ("config.json", "metrics.jsonl")):
        raise ValueError(
            f"expected a run folder with config.json or metrics.jsonl, found neither in {str(folder)!r}; "
            "pass the folder that the experiment wrote"
        )
    problems: list[str] = []
    return Run(
        folder=folder,
        config=_attempt(folder / "config.json", _read_object, {}, problems),
        metrics=_attempt(folder / "metrics.jsonl", lambda path: _read_metrics(path, problems), {}, problems),
        results=_attempt(folder / "results.json", _read_object, {}, problems),
        embeddings=_attempt(folder / "embeddings.npz", _read_embeddings, None, problems),
        pictures=_attempt(folder / "pictures.npz", _read_arrays, {}, problems),
        texts=_attempt(folder / "texts.json", _read_texts, Texts({}, [], []), problems),
        samples=_attempt(folder / "samples.jsonl", _read_samples, [], problems),
        problems=problems,
    )


def _attempt(path: Path, reader: Callable[[Path], Any], absent: Any, problems: list[str]) -> Any:
    if not path.is_file():
        return absent
    try:
        return reader(path)
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OSError,
        EOFError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        problems.append(f"{path.name} could not be read and is left out: {error}")
        return absent


def _read_object(path: Path) -> dict[str, Any]:
    value = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(value, dict):
        raise ValueError(f"expected a JSON object, got {type(value).__name__}")
    return value


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _read_embeddings(path: Path) -> Embeddings:
    arrays = _read_arrays(path)
    features = np.asarray(arrays["features"], np.float32)
    features = features.reshape(len(features), -1)
    rest = {name: arrays.get(name) for name in ("labels", "inputs", "predictions")}
    for name, array in rest.items():
        if array is not None and len(array) != len(features):
            raise ValueError(f"{name} has {len(array)} rows, features {len(features)}")
    inputs, labels = rest["inputs"], rest["labels"]
    if inputs is not None and inputs.ndim != 4:
        rest["inputs"] = None
    if labels is not None and (labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer)):
        rest["labels"] = None
    return Embeddings(features=features, **rest)


def _read_texts(path: Path) -> Texts:
    content = _read_object(path)
    hidden = {
        str(name): [[Piece(**piece) for piece in row] for row in rows]
        for name, rows in content["hidden"].items()
    }
    tagged = [[Tagged(**piece) for piece in row] for row in content.get("tagged", [])]
    return Texts(hidden, [str(text) for text in content["examples"]], tagged)


def _read_samples(path: Path) -> list[Sample]:
    """Samples in the order of their steps; half a last line, which is being written, is left out."""
    found: dict[int, Sample] = {}
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.endswith("\n"):
            row = json.loads(line)
            found[int(row["step"])] = Sample(int(row["step"]), str(row["text"]))
    return [found[step] for step in sorted(found)]


def _read_metrics(path: Path, problems: list[str]) -> dict[str, Series]:
    """Rows by metric. A resumed run repeats steps: the last row of a step counts."""
    found: dict[str, dict[int, float]] = {}
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    damaged = [number for number, line in enumerate(lines, 1) if not _add_row(line, found)]
    # A run that is writing right now may have half a last line: that is no problem to report.
    damaged = [number for number in damaged if number < len(lines)]
    if damaged:
        problems.append(
            f"metrics.jsonl: {len(damaged)} damaged lines are left out, the first is line {damaged[0]}"
        )
    return {name: _series(points) for name, points in found.items()}


def _add_row(line: str, found: dict[str, dict[int, float]]) -> bool:
    if not line.strip():
        return True
    try:
        row = json.loads(line)
        step = int(row["step"])
    except (ValueError, KeyError, TypeError):
        return False
    for name, value in row.items():
        if name != "step" and (
            value is None or (isinstance(value, int | float) and not isinstance(value, bool))
        ):
            found.setdefault(name, {})[step] = float("nan") if value is None else float(value)
    return True


def _series(points: dict[int, float]) -> Series:
    steps = np.array(sorted(points), np.int64)
    values = np.array([points[step] for step in steps.tolist()], np.float64)
    # What a diverged run logs just before infinity would overflow the arithmetic of the axes.
    return Series(steps, np.where(np.abs(values) < 1e100, values, np.nan))
