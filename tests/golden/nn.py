"""Write nn.npz: what torchvision's networks give for weights and images that are drawn, not stored.

Made with torch 2.14.1 and torchvision 0.29.1: `python tests/golden/nn.py`
"""

from pathlib import Path

import numpy as np
import torch
import torchvision
from weights import draw, images


def fill(model: torch.nn.Module) -> torch.nn.Module:
    state = {
        name: torch.from_numpy(draw(name, tuple(x.shape))) for name, x in model.state_dict().items() if x.ndim
    }
    model.load_state_dict(state, strict=False)
    return model


def sincos(rows: int, columns: int, dim: int) -> torch.Tensor:
    """Fixed positions in place of torchvision's learned ones; the class token has none."""
    half = dim // 4
    table = np.zeros((1 + rows * columns, dim))
    for index in range(rows * columns):
        for axis, position in enumerate((index // columns, index % columns)):
            angle = position / 10_000 ** (np.arange(half) / half)
            start = axis * 2 * half
            table[1 + index, start : start + 2 * half] = np.concatenate([np.sin(angle), np.cos(angle)])
    return torch.from_numpy(table[None].astype(np.float32))


@torch.no_grad()
def resnet(name: str) -> dict[str, np.ndarray]:
    model = fill(getattr(torchvision.models, name)())
    model.fc = torch.nn.Identity()
    x = torch.from_numpy(images((2, 64, 64, 3))).permute(0, 3, 1, 2)
    evaluated = model.eval()(x)
    trained = model.train()(x)
    moved = {
        key: x.numpy()
        for key, x in model.state_dict().items()
        if key in ("bn1.running_mean", "bn1.running_var")
    }
    return {"eval": evaluated[:, ::8].numpy(), "train": trained[:, ::8].numpy(), **moved}


@torch.no_grad()
def vit() -> dict[str, np.ndarray]:
    model = torchvision.models.VisionTransformer(
        image_size=16, patch_size=4, num_layers=2, num_heads=4, hidden_dim=32, mlp_dim=128
    )
    model.heads = torch.nn.Identity()
    fill(model)
    model.encoder.pos_embedding.copy_(sincos(4, 4, 32))
    x = torch.from_numpy(images((2, 16, 16, 3))).permute(0, 3, 1, 2)
    return {"cls": model.eval()(x).numpy()}


if __name__ == "__main__":
    results = {"resnet18": resnet("resnet18"), "resnet50": resnet("resnet50"), "vit": vit()}
    arrays = {f"{model}/{name}": array for model, found in results.items() for name, array in found.items()}
    np.savez_compressed(Path(__file__).with_suffix(".npz"), **arrays)
