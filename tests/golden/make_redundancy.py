"""Golden values and gradients of redundancy reduction, SIGReg and pseudo-labels, stored in redundancy.npz.

Run it in an environment of its own with `torch==2.14.1`, `lightly==1.6.0` and `solo-learn==1.0.2` (installed
with `--no-deps`), which jssl never uses:

    python tests/golden/make_redundancy.py

A key of the file is `loss/case/field`. Inputs are float32; results stand in float32 and in float64, computed
from the same inputs, with the gradient of each differentiable input. lightly keeps SIGReg's table of the
Gaussian in float32; here it is computed in the dtype of the inputs.
"""

import importlib.metadata
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from lightly.loss import BarlowTwinsLoss, LeJEPALoss, VICRegLoss
from losses import SEEDS, Arrays, normal, results
from make_siamese import solo
from torch import Tensor

SHAPES = ((4, 3), (8, 24))


def lejepa(z: Tensor, directions: Tensor, num_global: int, weight: float) -> Tensor:
    """Of `[batch, views, dim]`, with given directions."""
    loss = LeJEPALoss(lambda_param=weight, sigreg_num_vectors=directions.shape[1])
    regularizer = loss.sigreg
    regularizer._generate_unit_vectors = lambda *_: directions / directions.norm(dim=0)
    t = regularizer.t.to(z.dtype)
    trapezoid = torch.full_like(t, 2 * 3.0 / 16)
    trapezoid[[0, -1]] = 3.0 / 16
    regularizer.t, regularizer.phi = t, torch.exp(-(t**2) / 2)
    regularizer.weights = trapezoid * regularizer.phi
    views = z.transpose(0, 1)
    return loss(global_proj=views[:num_global], local_proj=views[num_global:])


def deepcluster_v2(scores: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """One head, whose scores `[batch, views, prototypes]` solo-learn takes as `[heads, views, ...]`."""
    labels = labels.long()[None]
    return solo("deepclusterv2")(scores.transpose(0, 1).contiguous()[None], labels, temperature)


def redundancy_cases() -> Iterator[Arrays]:
    for batch, dim in SHAPES:
        for seed in SEEDS:
            a = normal(seed, batch, dim)
            views = {"z_a": a, "z_b": (a + 0.5 * normal(seed + 100, batch, dim)).astype(np.float32)}
            both = ("z_a", "z_b")
            case = f"{batch}x{dim},seed={seed}"
            for weight in (0.005, 0.25):
                name = f"{case},redundancy_weight={weight}"
                yield results(f"barlow_twins/lightly,{name}", BarlowTwinsLoss(weight), views, both)
                by_solo = partial(barlow_by_solo, weight=weight)
                yield results(f"barlow_twins/solo,{name}", by_solo, views, both)
            small = {view: (0.4 * z).astype(np.float32) for view, z in views.items()}
            yield results(f"vicreg/lightly,{case},variance_weight=25", VICRegLoss(), small, both)
            # solo-learn sums both views' hinges, where the published code takes their mean.
            by_solo = solo("vicreg")
            yield results(f"vicreg/solo,{case},variance_weight=50", by_solo, small, both)


def barlow_by_solo(z_a: Tensor, z_b: Tensor, weight: float) -> Tensor:
    torch.set_default_dtype(z_a.dtype)  # of the batch norm inside
    loss = solo("barlow")(z_a, z_b, weight, 1.0)
    torch.set_default_dtype(torch.float32)
    return loss


def sigreg_cases() -> Iterator[Arrays]:
    for batch, views, dim, num_global in ((4, 2, 3, 1), (8, 4, 24, 2)):
        for seed in SEEDS:
            for weight in (0.05, 1.0):
                inputs = {"z": 2 * normal(seed, batch, views, dim), "directions": normal(seed + 100, dim, 12)}
                case = f"{batch}x{views}x{dim},num_global={num_global},weight={weight},seed={seed}"
                function = partial(lejepa, num_global=num_global, weight=weight)
                yield results(f"lejepa/{case}", function, inputs, ("z",))


def pseudo_label_cases() -> Iterator[Arrays]:
    for batch, views, clusters in ((4, 2, 3), (8, 6, 12)):
        for seed in SEEDS:
            generator = np.random.default_rng(seed)
            labels = generator.integers(-1, clusters, batch).astype(np.float32)
            inputs = {"scores": np.tanh(normal(seed, batch, views, clusters)), "labels": labels}
            function = partial(deepcluster_v2, temperature=0.1)
            case = f"{batch}x{views}x{clusters},temperature=0.1,seed={seed}"
            yield results(f"pseudo_label/{case}", function, inputs, ("scores",))


if __name__ == "__main__":
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("torch", "lightly", "solo-learn")]
    arrays = {"versions": np.array(", ".join(versions))}
    for cases in (redundancy_cases(), sigreg_cases(), pseudo_label_cases()):
        for stored in cases:
            arrays |= stored
    np.savez_compressed(Path(__file__).with_name("redundancy.npz"), **arrays)
