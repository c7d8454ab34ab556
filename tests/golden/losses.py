"""Golden values and gradients of the losses, computed by lightly and PyTorch and stored in losses.npz.

Run it in an environment of its own with `torch==2.14.1` and `lightly==1.6.0`, which jssl never uses:

    python tests/golden/losses.py

A key of the file is `loss/case/field`. Inputs are float32; results stand in float32 and in float64, computed
from the same inputs, with the gradient of each differentiable input.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import lightly
import numpy as np
import torch
from lightly.loss import NTXentLoss, SwaVLoss
from lightly.loss.swav_loss import sinkhorn as lightly_sinkhorn
from torch import Tensor
from torch.nn import functional

DTYPES = {"float32": torch.float32, "float64": torch.float64}
SEEDS = (0, 1)
Arrays = dict[str, np.ndarray]


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def results(
    case: str, function: Callable[..., Tensor], inputs: Arrays, differentiated: tuple[str, ...]
) -> Arrays:
    """Inputs, values and gradients under the keys of one case."""
    stored = {f"{case}/{name}": x for name, x in inputs.items()}
    for dtype_name, dtype in DTYPES.items():
        tensors = {name: torch.tensor(x, dtype=dtype) for name, x in inputs.items()}
        for name in differentiated:
            tensors[name].requires_grad_()
        value = function(*tensors.values())
        stored[f"{case}/value_{dtype_name}"] = value.detach().numpy()
        if differentiated:
            value.sum().backward()
        for name in differentiated:
            stored[f"{case}/gradient_{name}_{dtype_name}"] = tensors[name].grad.numpy()
    return stored


def info_nce(z_a: Tensor, z_b: Tensor, temperature: float) -> Tensor:
    cosines = functional.normalize(z_a, dim=1) @ functional.normalize(z_b, dim=1).T
    return functional.cross_entropy(cosines / temperature, torch.arange(len(z_a)))


def published_sinkhorn(scores: Tensor, epsilon: float, num_iterations: int) -> Tensor:
    """The steps of SwAV's published code, without any protection from overflow."""
    plan = torch.exp(scores / epsilon).T
    num_prototypes, batch = plan.shape
    plan = plan / plan.sum()
    for _ in range(num_iterations):
        plan = plan / plan.sum(dim=1, keepdim=True) / num_prototypes
        plan = plan / plan.sum(dim=0, keepdim=True) / batch
    return (plan * batch).T


def swav(scores: Tensor, queued: Tensor | None = None) -> Tensor:
    """Two global views, then the local ones."""
    views = list(scores.unbind(dim=1))
    queue = None if queued is None else list(queued.unbind(dim=1))
    return SwaVLoss(temperature=0.1)(views[:2], views[2:], queue).squeeze()


def masked_reconstruction(prediction: Tensor, target: Tensor, mask: Tensor, normalize: bool) -> Tensor:
    """MAE's published loss; torch's variance is unbiased by default."""
    if normalize:
        target = (target - target.mean(-1, keepdim=True)) / (target.var(-1, keepdim=True) + 1e-6).sqrt()
    errors = ((prediction - target) ** 2).mean(dim=-1)
    return (errors * mask).sum() / mask.sum()


def contrastive_cases() -> Iterator[Arrays]:
    for batch, dim, temperature in ((2, 3, 0.5), (8, 16, 0.1), (16, 24, 0.2)):
        for seed in SEEDS:
            case = f"{batch}x{dim},temperature={temperature},seed={seed}"
            views = {"z_a": normal(seed, batch, dim), "z_b": normal(seed + 100, batch, dim)}
            one_way = partial(info_nce, temperature=temperature)
            yield results(f"nt_xent/{case}", NTXentLoss(temperature), views, ("z_a", "z_b"))
            yield results(f"info_nce/{case}", one_way, views, ("z_a", "z_b"))


def sinkhorn_cases() -> Iterator[Arrays]:
    for batch, prototypes, epsilon, num_iterations in ((4, 3, 0.05, 3), (16, 8, 0.05, 3), (8, 24, 0.2, 1)):
        for seed in SEEDS:
            arguments = f"epsilon={epsilon},num_iterations={num_iterations}"
            case = f"{batch}x{prototypes},{arguments},seed={seed}"
            scores = {"scores": np.tanh(normal(seed, batch, prototypes))}
            published = partial(published_sinkhorn, epsilon=epsilon, num_iterations=num_iterations)
            yield results(f"sinkhorn/published,{case}", published, scores, ())
            by_lightly = partial(lightly_sinkhorn, epsilon=epsilon, iterations=num_iterations)
            yield results(f"sinkhorn/lightly,{case}", by_lightly, scores, ())


def swav_cases() -> Iterator[Arrays]:
    for batch, views, prototypes, queue_rows in ((4, 2, 3, 0), (8, 6, 12, 0), (4, 3, 10, 12)):
        for seed in SEEDS:
            case = f"{batch}x{views}x{prototypes},queue={queue_rows},seed={seed}"
            inputs = {"scores": np.tanh(normal(seed, batch, views, prototypes))}
            if queue_rows:
                inputs["queued"] = np.tanh(normal(seed + 100, queue_rows, 2, prototypes))
            yield results(f"swav/{case}", swav, inputs, ("scores",))


def reconstruction_cases() -> Iterator[Arrays]:
    for batch, tokens, dim in ((2, 4, 3), (4, 9, 12)):
        for seed in SEEDS:
            inputs = {
                "prediction": normal(seed, batch, tokens, dim),
                "target": np.abs(normal(seed + 100, batch, tokens, dim)),
                "mask": (normal(seed + 200, batch, tokens) > -0.5).astype(np.float32),
            }
            for normalize in (False, True):
                case = f"masked_reconstruction/{batch}x{tokens}x{dim},normalize={normalize},seed={seed}"
                yield results(
                    case, partial(masked_reconstruction, normalize=normalize), inputs, ("prediction",)
                )


if __name__ == "__main__":
    arrays = {"versions": np.array(f"torch {torch.__version__}, lightly {lightly.__version__}")}
    for cases in (contrastive_cases(), sinkhorn_cases(), swav_cases(), reconstruction_cases()):
        for stored in cases:
            arrays |= stored
    np.savez_compressed(Path(__file__).with_suffix(".npz"), **arrays)
