"""What PyTorch's published models gave (tests/golden/published_weights.py)."""

from pathlib import Path

import numpy as np

FILE = np.load(Path(__file__).parents[1] / "golden" / "published_weights.npz")


def published(model):
    """{name: array} of one model."""
    return {key.split("/")[1]: FILE[key] for key in FILE.files if key.split("/")[0] == model}
