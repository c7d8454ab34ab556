"""Runs of the tiny experiments as a user starts them, and what is compared between two runs."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jssl import load

ROOT = Path(__file__).parent.parent
CLOCK = "time/"


def environment(devices: int | None = None) -> dict[str, str]:
    """This process's, without the tests' own eight devices."""
    kept = {name: value for name, value in os.environ.items() if name not in ("XLA_FLAGS", "JAX_PLATFORMS")}
    cache = {
        "JAX_COMPILATION_CACHE_DIR": str(ROOT / "tests" / ".jax_cache"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    return kept | cache | {"JAX_PLATFORMS": "cpu"}


def start(method: str, folder: Path, *options: str) -> "subprocess.Popen[str]":
    """`python -m tests.tiny METHOD --run-dir FOLDER ...`, not waited for."""
    command = [sys.executable, "-m", "tests.tiny", method, "--run-dir", str(folder), *options]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def finish(method: str, folder: Path, *options: str) -> str:
    """Run to the end; returns what was printed."""
    process = start(method, folder, *options)
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 0, printed
    return printed


def metrics(folder: Path) -> list[dict[str, Any]]:
    """The logged rows without the figures that depend on the clock."""
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: x for name, x in row.items() if not name.startswith(CLOCK)} for row in rows]


def arrays(folder: Path, factory: Any, **arguments: Any) -> dict[str, np.ndarray]:
    """Every array of the newest checkpoint by its path."""
    state = load(folder, factory(**arguments)).state
    state = state._replace(key=jax.random.key_data(state.key))
    leaves = jax.tree_util.tree_leaves_with_path(state)
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves}
