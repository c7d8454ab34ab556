"""Golden values and gradients of self-distillation, by lightly and PyTorch, stored in distillation.npz.

Run it in an environment of its own with `torch==2.14.1` and `lightly==1.6.0`, which jssl never uses:

    python -m tests.golden.make_distillation

A key of the file is `loss/case/field`. Inputs are float32; results stand in float32 and in float64, computed
from the same inputs, with the gradient of each differentiable input. Teacher temperatures are powers of two,
since lightly rounds them to float32.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import lightly
import numpy as np
import torch
from lightly.loss import DINOLoss, IBOTPatchLoss, KoLeoLoss, MSNLoss
from lightly.models.modules import DINOProjectionHead
from torch import Tensor

from tests.golden.losses import SEEDS, Arrays, normal, results


def dino(student: Tensor, teacher: Tensor, center: Tensor, temperature: float) -> Tensor:
    loss = DINOLoss(center.numel(), student_temp=0.1)
    loss.center = center[None, None]
    return loss(list(teacher.unbind(1)), list(student.unbind(1)), teacher_temp=temperature)


def dino_center(teacher: Tensor, center: Tensor) -> Tensor:
    loss = DINOLoss(center.numel(), center_momentum=0.9)
    loss.center = center[None, None]
    views = list(teacher.unbind(1))
    loss(views, views)
    return loss.center[0, 0]


def ibot(student: Tensor, teacher: Tensor, mask: Tensor, center: Tensor) -> Tensor:
    """Tokens [batch, height * width], which lightly takes as the masked ones alone."""
    loss = IBOTPatchLoss(center.numel(), teacher_temp=0.0625, student_temp=0.1)
    loss.center.center = center[None]
    chosen = mask > 0
    return loss(teacher[chosen], student[chosen], chosen[:, None])


def msn(anchors: Tensor, target: Tensor, prototypes: Tensor, options: dict[str, float]) -> Tensor:
    """Anchors [batch, views, dim], which lightly takes view by view."""
    loss = MSNLoss(
        temperature=0.1,
        sinkhorn_iterations=int(options["num_iterations"]),
        regularization_weight=options["mean_entropy_weight"],
    )
    rows = anchors.transpose(0, 1).flatten(0, 1)
    return loss(rows, target, prototypes, target_sharpen_temperature=options["sharpening"])


def head(x: Tensor, *weights: Tensor) -> Tensor:
    """Two hidden layers with biases, the bottleneck, and the prototypes as [prototypes, bottleneck]."""
    hidden, bottleneck, prototypes = weights[0].shape[1], weights[4].shape[1], weights[6].shape[0]
    network = DINOProjectionHead(x.shape[1], hidden, bottleneck, prototypes).to(x.dtype)
    names = [f"layers.{layer}.{kind}" for layer in (0, 2, 4) for kind in ("weight", "bias")]
    values = [w.T if w.ndim == 2 else w for w in weights[:6]]
    parameters = dict(zip([*names, "last_layer.weight_v"], [*values, weights[6]], strict=True))
    return torch.func.functional_call(network, parameters, x)


def dino_cases() -> Iterator[Arrays]:
    for batch, views, teacher_views, prototypes, temperature in (
        (4, 2, 2, 5, 0.03125),
        (8, 6, 2, 16, 0.0625),
        (3, 4, 1, 7, 0.125),
    ):
        for seed in SEEDS:
            inputs = {
                "student": normal(seed, batch, views, prototypes),
                "teacher": 0.2 * normal(seed + 100, batch, teacher_views, prototypes),
                "center": 0.1 * normal(seed + 200, prototypes),
            }
            case = (
                f"{batch}x{views}x{prototypes},globals={teacher_views},temperature={temperature},seed={seed}"
            )
            yield results(f"dino/{case}", partial(dino, temperature=temperature), inputs, ("student",))
            if teacher_views > 1:
                del inputs["student"]
                yield results(f"dino_center/{case}", dino_center, inputs, ())


def ibot_cases() -> Iterator[Arrays]:
    for batch, tokens, prototypes in ((2, 4, 5), (6, 9, 12)):
        for seed in SEEDS:
            mask = normal(seed + 200, batch, tokens) > 0
            mask[0] = False
            inputs = {
                "student": normal(seed, batch, tokens, prototypes),
                "teacher": 0.2 * normal(seed + 100, batch, tokens, prototypes),
                "mask": mask.astype(np.float32),
                "center": 0.1 * normal(seed + 300, prototypes),
            }
            yield results(f"ibot/{batch}x{tokens}x{prototypes},seed={seed}", ibot, inputs, ("student",))


def koleo_cases() -> Iterator[Arrays]:
    for batch, dim in ((2, 3), (8, 4), (16, 24)):
        for seed in SEEDS:
            inputs = {"z": normal(seed, batch, dim)}
            yield results(f"koleo/{batch}x{dim},seed={seed}", KoLeoLoss(), inputs, ("z",))


def msn_cases() -> Iterator[Arrays]:
    for batch, views, prototypes, options in (
        (4, 1, 5, {"num_iterations": 0, "mean_entropy_weight": 1.0, "sharpening": 0.25}),
        (8, 3, 6, {"num_iterations": 3, "mean_entropy_weight": 5.0, "sharpening": 0.25}),
        (3, 2, 12, {"num_iterations": 0, "mean_entropy_weight": 0.0, "sharpening": 0.5}),
    ):
        for seed in SEEDS:
            inputs = {
                "anchors": normal(seed, batch, views, 8),
                "target": normal(seed + 100, batch, 8),
                "prototypes": normal(seed + 200, prototypes, 8),
            }
            case = ",".join(f"{name}={value}" for name, value in options.items())
            name = f"msn/{batch}x{views}x{prototypes},{case},seed={seed}"
            yield results(name, partial(msn, options=options), inputs, ("anchors", "prototypes"))


def head_cases() -> Iterator[Arrays]:
    sizes = {
        "kernel0": (6, 8),
        "bias0": (8,),
        "kernel1": (8, 8),
        "bias1": (8,),
        "kernel2": (8, 4),
        "bias2": (4,),
    }
    for seed in SEEDS:
        inputs = {"x": normal(seed, 5, 6)}
        for index, (name, shape) in enumerate((sizes | {"prototypes": (7, 4)}).items()):
            inputs[name] = 0.3 * normal(seed + 100 * (index + 1), *shape)
        yield results(f"dino_head/seed={seed}", head, inputs, tuple(inputs))


if __name__ == "__main__":
    arrays = {"versions": np.array(f"torch {torch.__version__}, lightly {lightly.__version__}")}
    for cases in (dino_cases(), ibot_cases(), koleo_cases(), msn_cases(), head_cases()):
        for stored in cases:
            arrays |= stored
    np.savez_compressed(Path(__file__).with_name("distillation.npz"), **arrays)
