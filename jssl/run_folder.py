"""A run's folder: one experiment with one set of arguments, recorded in `config.json`."""

import json
import os
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import jax

PACKAGES = (
    "jssl",
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "orbax-checkpoint",
    "grain",
    "tensorflow-datasets",
    "numpy",
)


class Origin(NamedTuple):
    """Where an experiment came from.

    Attributes:
        arguments: what it was made with; a run is continued only with the same.
        source: "FILE:FUNCTION", or None for one made in a notebook.
        description: one line.
    """

    arguments: dict[str, Any]
    source: str | None = None
    description: str = ""


def record(name: str, origin: Origin, devices: list[jax.Device]) -> dict[str, Any]:
    """What a run is made with: arguments, versions, commit, devices."""
    return {
        "name": name,
        "description": origin.description,
        "experiment": origin.source,
        "arguments": origin.arguments,
        "versions": {package: _version(package) for package in PACKAGES} | {"python": sys.version.split()[0]},
        "git": _commit(),
        "devices": {
            "platform": devices[0].platform,
            "kind": devices[0].device_kind,
            "count": len(devices),
            "processes": jax.process_count(),
        },
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "command": shlex.join(sys.argv),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _version(package: str) -> str | None:
    """The installed version; None for a package that runs from its sources, uninstalled."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _commit() -> dict[str, Any] | None:
    """The commit of the checkout that the command runs in, if it is one."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], capture_output=True, text=True, check=True).stdout.strip()

    try:
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return None


def open_folder(folder: Path, config: dict[str, Any]) -> bool:
    """Make the folder of a new run, or check that it holds this very run.

    Returns:
        Whether a run was begun there before.

    Raises:
        ValueError: the folder can't be written, holds something else, or a run with other arguments.
    """
    path = folder / "config.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if path.exists():
            _check_same(folder, json.loads(path.read_text()), config)
            return True
        if any(folder.iterdir()):
            raise ValueError(
                f"{folder} holds files but no run (no config.json). Expected a new or empty folder, or one "
                "of a run to go on with: choose another --run-dir."
            )
        write_json(path, config)
    except OSError as error:
        raise ValueError(
            f"The run folder {folder} can't be used: {error.strerror or error}. Choose another --run-dir."
        ) from error
    return False


def _check_same(folder: Path, saved: dict[str, Any], now: dict[str, Any]) -> None:
    if saved["name"] != now["name"]:
        raise ValueError(
            f"{folder} holds a run of another experiment: {saved['name']!r}, not {now['name']!r}. "
            "Choose another --run-dir."
        )
    before, after = saved["arguments"], json.loads(json.dumps(now["arguments"]))
    changed = [
        f"  {key}: {before.get(key, '(absent)')} in the folder, {after.get(key, '(absent)')} now"
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]
    if changed:
        raise ValueError(
            f"{folder} holds a run with other arguments:\n"
            + "\n".join(changed)
            + "\nUse the same arguments to "
            "go on with it, or another --run-dir for a new run."
        )


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file so that a reader sees the old or the new one, never half of it."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(content, indent=2) + "\n")
    temporary.replace(path)


def read_config(folder: Path) -> dict[str, Any]:
    """The `config.json` of a run.

    Raises:
        ValueError: the folder holds none.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise ValueError(f"Expected the folder of a run, got {str(folder)!r}: there is no config.json in it.")
    return json.loads(path.read_text())
