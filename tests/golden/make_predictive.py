"""Golden values of the self-predictive losses and of Lab, stored in predictive.npz.

Run it in an environment of its own with `torch==2.14.1`, `transformers==5.23.0` and `scikit-image==0.26.0`,
which jssl never uses:

    python tests/golden/make_predictive.py

A key of the file is `loss/case/field`. Inputs are float32; values and the gradient of the first input stand
in float32 and in float64, computed from the same inputs. SimMIM's loss is that of transformers'
`ViTForMaskedImageModeling`, in its own layout of images; smooth L1 and cross-entropies are PyTorch's.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import skimage
import torch
import transformers
from skimage.color import lab2rgb, rgb2lab
from torch import Tensor
from torch.nn import functional
from transformers import ViTConfig, ViTForMaskedImageModeling

Arrays = dict[str, np.ndarray]


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def results(case: str, function: Callable[..., Tensor], inputs: Arrays) -> Arrays:
    """Inputs, values and gradients of the first input under the keys of one case."""
    stored = {f"{case}/{name}": x for name, x in inputs.items()}
    for name, dtype in {"float32": torch.float32, "float64": torch.float64}.items():
        tensors = [torch.tensor(x, dtype=dtype if x.dtype == np.float32 else None) for x in inputs.values()]
        value = function(tensors[0].requires_grad_(), *tensors[1:])
        value.backward()
        stored[f"{case}/value_{name}"] = value.detach().numpy()
        stored[f"{case}/gradient_{name}"] = tensors[0].grad.numpy()
    return stored


def smooth_l1(prediction: Tensor, target: Tensor, mask: Tensor, beta: float) -> Tensor:
    return functional.smooth_l1_loss(prediction[mask], target[mask], beta=beta)


def weighted(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    return (weights * functional.cross_entropy(logits, targets, reduction="none")).mean()


class Given(torch.nn.Module):
    """Stands for the decoder: gives the prediction, whatever it is asked."""

    def __init__(self, prediction: Tensor) -> None:
        super().__init__()
        self.prediction = prediction

    def forward(self, _: Tensor) -> Tensor:
        return self.prediction


def simmim(prediction: Tensor, target: Tensor, mask: Tensor, patch: int) -> Tensor:
    """The published loss of images whose patches, row by row, are the tokens [batch, n, p]."""
    batch, n, p = prediction.shape
    side, channels = round(n**0.5), p // patch**2

    def image(tokens: Tensor) -> Tensor:
        grid = tokens.reshape(batch, side, side, patch, patch, channels)
        return grid.permute(0, 5, 1, 3, 2, 4).reshape(batch, channels, side * patch, side * patch)

    config = ViTConfig(
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
        image_size=side * patch,
        patch_size=patch,
        encoder_stride=patch,
        num_channels=channels,
    )
    model = ViTForMaskedImageModeling(config).to(prediction.dtype)
    model.decoder = Given(image(prediction))
    return model(image(target), bool_masked_pos=mask).loss


def loss_cases() -> Iterator[Arrays]:
    for seed, (batch, n, patch, channels) in enumerate(((2, 4, 2, 3), (3, 9, 4, 1))):
        shape = (batch, n, patch * patch * channels)
        inputs = {
            "prediction": normal(seed, *shape),
            "target": 2 * normal(seed + 100, *shape),
            "mask": normal(seed + 200, batch, n) > -0.5,
        }
        yield results(f"masked_l1/{seed}", partial(simmim, patch=patch), inputs)
        for beta in (0.5, 1.0, 2.0):
            yield results(f"smooth_l1/{beta},{seed}", partial(smooth_l1, beta=beta), inputs)
        logits, weights = 3 * normal(seed, batch, 5), np.abs(normal(seed + 1, batch))
        soft = np.exp(normal(seed + 2, batch, 5))
        labels = {"logits": logits, "targets": np.arange(batch) % 5}
        yield results(f"classification/hard,{seed}", functional.cross_entropy, labels)
        soft /= soft.sum(1, keepdims=True)
        inputs = {"logits": logits, "targets": soft, "weights": weights}
        yield results(f"classification/soft,{seed}", weighted, inputs)


def lab_cases() -> Iterator[Arrays]:
    rgb = np.random.default_rng(0).uniform(size=(12, 14, 3))
    rgb[0, :8] = [[r, g, b] for r in (0, 1) for g in (0, 1) for b in (0, 1)]
    rgb[1] *= 0.05
    lab = rgb2lab(rgb)
    wide = lab * np.array([1.0, 1.2, 1.2])
    yield {"lab/rgb": rgb, "lab/lab": lab, "lab/wide": wide}
    with np.errstate(invalid="ignore"):
        yield {"lab/wide_rgb": lab2rgb(wide)}


if __name__ == "__main__":
    libraries = (torch, transformers, skimage)
    versions = ", ".join(f"{library.__name__} {library.__version__}" for library in libraries)
    arrays = {"versions": np.array(versions)}
    for cases in (loss_cases(), lab_cases()):
        for stored in cases:
            arrays |= stored
    np.savez_compressed(Path(__file__).with_name("predictive.npz"), **arrays)
