"""Golden k-nearest-neighbour predictions, computed by lightly and stored in evals.npz.

Run it in an environment of its own with `torch==2.14.1` and `lightly==1.6.0`, which jssl never uses:

    python tests/golden/evals.py

Keys of the file: `knn/train_features` and the like are the inputs, `knn/k=20,t=0.07` is a result.
"""

from pathlib import Path

import numpy as np
import torch
from lightly.utils.benchmarking.knn import knn_predict
from torch.nn import functional

CASES = ((1, 0.07), (20, 0.07), (20, 0.5), (200, 0.1))


def examples() -> dict[str, np.ndarray]:
    """Overlapping classes of different sizes, so that many votes are close."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(7, 16))
    labels = rng.choice(7, size=300, p=np.arange(1, 8) / 28).astype(np.int32)
    queries = rng.choice(7, size=100).astype(np.int32)
    draw = [centres[y] + 1.5 * rng.normal(size=(len(y), 16)) for y in (labels, queries)]
    return {
        "train_features": draw[0].astype(np.float32),
        "train_labels": labels,
        "test_features": draw[1].astype(np.float32),
    }


def predictions(arrays: dict[str, np.ndarray], k: int, temperature: float) -> np.ndarray:
    bank, labels, queries = (torch.tensor(x) for x in arrays.values())
    bank, queries = functional.normalize(bank, dim=1), functional.normalize(queries, dim=1)
    ranked = knn_predict(queries, bank.T, labels.long(), num_classes=7, knn_k=k, knn_t=temperature)
    return ranked[:, 0].numpy()


def main() -> None:
    arrays = examples()
    stored = {f"knn/{name}": x for name, x in arrays.items()}
    for k, temperature in CASES:
        stored[f"knn/k={k},t={temperature}"] = predictions(arrays, k, temperature)
    np.savez_compressed(Path(__file__).with_suffix(".npz"), **stored)


if __name__ == "__main__":
    main()
