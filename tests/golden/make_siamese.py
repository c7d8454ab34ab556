"""Golden values and gradients of the losses of two views, by lightly and solo-learn, stored in siamese.npz.

Run it in an environment of its own, which jssl never uses, with `torch==2.14.1`, `lightly==1.6.0` and
`solo-learn==1.0.2` (installed with --no-deps: only the files of its losses are read):

    python tests/golden/make_siamese.py

The keys of the file are those of losses.py.
"""

import importlib.metadata
import importlib.util
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import lightly
import numpy as np
import torch
from lightly.loss import DCLLoss, DCLWLoss, NegativeCosineSimilarity
from losses import SEEDS, Arrays, normal, results
from torch import Tensor
from torch.nn.functional import normalize


def solo(loss: str) -> Callable[..., Tensor]:
    """`solo.losses.LOSS.LOSS_loss_func`, without the rest of the package and what that needs."""
    package: Any = importlib.util.find_spec("solo")
    path = Path(package.origin).parent / "losses" / f"{loss}.py"
    spec: Any = importlib.util.spec_from_file_location(loss, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, f"{loss}_loss_func")


def moco(q: Tensor, k: Tensor, queue: Tensor, temperature: float) -> Tensor:
    """As solo-learn's training step calls its loss."""
    q, k, queue = (normalize(x, dim=-1) for x in (q, k, queue))
    return solo("moco")(q, k.detach(), queue.T, temperature)


def nnclr(z: Tensor, p: Tensor, queue: Tensor, temperature: float) -> Tensor:
    """As solo-learn's training step: the neighbour by the largest product of unit vectors."""
    z, queue = normalize(z, dim=-1), normalize(queue, dim=-1)
    neighbours = queue[(z @ queue.T).max(dim=1)[1]]
    return solo("nnclr")(neighbours, p, temperature)


def decoupled_cases() -> Iterator[Arrays]:
    for batch, dim, temperature in ((2, 3, 0.5), (8, 16, 0.1), (16, 24, 0.2)):
        for seed in SEEDS:
            views = {"z_a": normal(seed, batch, dim), "z_b": normal(seed + 100, batch, dim)}
            case = f"{batch}x{dim},temperature={temperature}"
            yield results(f"dcl/{case},seed={seed}", DCLLoss(temperature), views, ("z_a", "z_b"))
            if batch == 8:
                weighted = DCLWLoss(temperature, sigma=0.5)
                yield results(f"dcl/{case},sigma=0.5,seed={seed}", weighted, views, ("z_a", "z_b"))


def queue_cases() -> Iterator[Arrays]:
    for batch, dim, rows, temperature in ((1, 3, 2, 0.5), (8, 16, 24, 0.07), (16, 8, 12, 0.2)):
        for seed in SEEDS:
            case = f"{batch}x{dim},rows={rows},temperature={temperature},seed={seed}"
            first, second = normal(seed, batch, dim), normal(seed + 100, batch, dim)
            queue = normal(seed + 200, rows, dim)
            inputs = {"q": first, "k": second, "queue": queue}
            yield results(f"moco/{case}", partial(moco, temperature=temperature), inputs, ("q",))
            inputs = {"z": first, "p": second, "queue": queue}
            yield results(f"nnclr/{case}", partial(nnclr, temperature=temperature), inputs, ("p",))


def regression_cases() -> Iterator[Arrays]:
    for batch, dim in ((1, 2), (4, 3), (16, 24)):
        for seed in SEEDS:
            case = f"{batch}x{dim},seed={seed}"
            inputs = {"p": normal(seed, batch, dim), "z": normal(seed + 100, batch, dim)}
            yield results(f"cosine_regression/solo,{case}", solo("byol"), inputs, ("p",))
            yield results(f"negative_cosine/solo,{case}", solo("simsiam"), inputs, ("p",))
            yield results(f"negative_cosine/lightly,{case}", NegativeCosineSimilarity(), inputs, ("p",))


if __name__ == "__main__":
    solo_version = importlib.metadata.version("solo-learn")
    arrays = {
        "versions": np.array(
            f"torch {torch.__version__}, lightly {lightly.__version__}, solo-learn {solo_version}"
        )
    }
    for cases in (decoupled_cases(), queue_cases(), regression_cases()):
        for stored in cases:
            arrays |= stored
    np.savez_compressed(Path(__file__).with_name("siamese.npz"), **arrays)
