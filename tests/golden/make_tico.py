"""Golden values and gradients of TiCo's loss by lightly, stored in tico.npz.

Run it in an environment of its own with `torch==2.14.1` and `lightly==1.6.0`, which jssl never uses:

    python tests/golden/make_tico.py

The keys of the file are those of losses.py.
"""

import importlib.metadata
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from lightly.loss import TiCoLoss
from losses import SEEDS, Arrays, normal, results
from torch import Tensor


def loss(z_a: Tensor, z_b: Tensor, earlier: Tensor, beta: float, rho: float) -> Tensor:
    """The loss of the second step; the first one's embeddings leave their covariance."""
    criterion = TiCoLoss(beta=beta, rho=rho)
    criterion(earlier, earlier)
    return criterion(z_a, z_b)


def covariance(z_a: Tensor, z_b: Tensor, earlier: Tensor, beta: float) -> Tensor:
    """What two steps leave."""
    criterion = TiCoLoss(beta=beta)
    criterion(earlier, earlier)
    criterion(z_a, z_b)
    return criterion.C


def tico_cases() -> Iterator[Arrays]:
    for batch, dim, beta, rho in ((4, 3, 0.9, 8.0), (8, 24, 0.5, 20.0)):
        for seed in SEEDS:
            inputs = {
                "z_a": normal(seed, batch, dim),
                "z_b": normal(seed + 100, batch, dim),
                "earlier": normal(seed + 200, batch, dim),
            }
            case = f"{batch}x{dim},decay={beta},covariance_weight={rho},seed={seed}"
            yield results(f"tico/{case}", partial(loss, beta=beta, rho=rho), inputs, ("z_a",))
            yield results(f"tico_covariance/{case}", partial(covariance, beta=beta), inputs, ())


if __name__ == "__main__":
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("torch", "lightly")]
    arrays = {"versions": np.array(", ".join(versions))}
    for stored in tico_cases():
        arrays |= stored
    np.savez_compressed(Path(__file__).with_name("tico.npz"), **arrays)
