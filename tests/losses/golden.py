"""Cases of tests/golden/*.npz: what the reference implementations compute."""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

FOLDER = Path(__file__).parent.parent / "golden"
TOLERANCE = {"float32": 3e-6, "float64": 1e-12}


class Case(NamedTuple):
    name: str
    arguments: dict[str, str]
    arrays: dict[str, np.ndarray]

    def __str__(self) -> str:
        return self.name


@cache
def cases(loss: str, file: str = "losses") -> list[Case]:
    """All cases of one loss in a file; a name such as `8x16,temperature=0.1` holds its arguments."""
    grouped: dict[str, dict[str, np.ndarray]] = {}
    with np.load(FOLDER / f"{file}.npz") as stored:
        for key in stored:
            if key.startswith(f"{loss}/"):
                _, name, field = key.split("/")
                grouped.setdefault(name, {})[field] = stored[key]
    assert grouped, f"no case of {loss} in {file}.npz: run the script beside it"
    return [
        Case(name, dict(part.split("=") for part in name.split(",") if "=" in part), arrays)
        for name, arrays in grouped.items()
    ]
