"""Small run folders, as the runner writes them."""

import json
from pathlib import Path

import numpy as np

HOSTILE = "<script>alert('x')</script>"


def config(folder: Path) -> None:
    content = {
        "name": "simclr_digits",
        "description": "SimCLR on digits.",
        "experiment": "experiments/simclr_digits.py:simclr_digits",
        "arguments": {"seed": 0, "data_dir": None, "tag": HOSTILE, "scale": [0.2, 1.0]},
        "versions": {"jssl": "0.1.0", "jax": "0.10.2"},
        "git": {"commit": "0123456789abcdef0123", "dirty": True},
        "devices": {"platform": "cpu", "count": 1, "kind": "cpu"},
        "command": "python experiments/simclr_digits.py --steps 400",
        "started": "2026-02-03T10:12:44+00:00",
    }
    (folder / "config.json").write_text(json.dumps(content))


def metrics(folder: Path, steps: int = 400, nan_from: int | None = None) -> None:
    lines = []
    for step in range(10, steps + 1, 10):
        loss = float("nan") if nan_from is not None and step >= nan_from else 5.0 / (1 + step / 20)
        lines.append({"step": step, "loss": loss, "collapse/std": 0.05, "time/examples_per_second": 900.5})
        if step % 100 == 0:
            lines.append({"step": step, "eval/knn/accuracy": 0.5 + step / 1000})
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def results(folder: Path) -> None:
    content = {
        "columns": ["raw pixels", "untrained", "trained", "from scratch"],
        "rows": {
            "knn/accuracy": {"raw pixels": 0.81, "untrained": 0.781, "trained": 0.852},
            "linear/100/accuracy": {"untrained": 0.6, "trained": 0.7, "from scratch": 0.75},
            "collapse/rank": {"untrained": 12, "trained": 109.4},
        },
        "warnings": ["Something to look at: " + HOSTILE],
        "seconds": {"training": 280.0, "evaluation": 61.0},
        "classes": ["zero", HOSTILE, "two"],
    }
    (folder / "results.json").write_text(json.dumps(content))


def embeddings(folder: Path, count: int = 60, *, leave_out: tuple[str, ...] = ()) -> None:
    rng = np.random.default_rng(0)
    labels = (np.arange(count) % 3).astype(np.int32)
    arrays = {
        "features": (rng.normal(size=(count, 16)) + 3 * np.eye(16)[labels]).astype(np.float32),
        "labels": labels,
        "inputs": rng.integers(0, 256, (count, 8, 8, 1), dtype=np.uint8),
        "predictions": np.roll(labels, 1),
    }
    np.savez(folder / "embeddings.npz", **{k: v for k, v in arrays.items() if k not in leave_out})


def pictures(folder: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(
        folder / "pictures.npz",
        views=rng.random((3, 2, 8, 8, 1), np.float32),
        reconstruction=rng.random((2, 3, 8, 8, 3), np.float32),
        prototypes=rng.random((60, 7), np.float32),
        odd=np.zeros(4),
    )


def texts(folder: Path, count: int = 60) -> None:
    pieces = [
        {"text": "[CLS]", "special": True},
        {"text": " in the"},
        {"text": " beginning", "guess": " beginning"},
        {"text": " god", "guess": f" {HOSTILE}", "seen": " walk"},
        {"text": " ", "guess": "\n"},
    ]
    tagged = [
        {"text": "seen in"},
        {"text": " York", "truth": "location", "guess": "location", "right": True},
        {"text": " by"},
        {"text": f" {HOSTILE}", "truth": "person", "guess": None, "right": False},
        {"text": " them", "truth": "group", "guess": "group", "right": False},
    ]
    content = {
        "hidden": {"masked words": [pieces]},
        "tagged": [tagged],
        "examples": [f"text {i}, {HOSTILE}" for i in range(count)],
    }
    (folder / "texts.json").write_text(json.dumps(content))


def samples(folder: Path, count: int = 30) -> None:
    rows = [json.dumps({"step": 10 * i, "text": f"sample {i}. {HOSTILE}"}) for i in range(1, count + 1)]
    (folder / "samples.jsonl").write_text("\n".join(rows) + '\n{"step": 999, "te')


def complete(folder: Path) -> Path:
    for write in (config, metrics, results, embeddings, pictures):
        write(folder)
    return folder
