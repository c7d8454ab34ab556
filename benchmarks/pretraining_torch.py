"""The peer's side of `pretraining.py`: lightly, timm and Hugging Face in PyTorch, and nothing of jssl.

Run as `python -m benchmarks.pretraining_torch WORKLOAD WORKERS`; speeds are asked for by lines.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from lightly.loss import NTXentLoss
from lightly.models.modules.heads import SimCLRProjectionHead
from lightly.transforms import SimCLRTransform
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from benchmarks import sides
from benchmarks.pretraining import BATCH, COUNTED, FIRST, IMAGES, MEAN, SIZE, STD, UNCOUNTED

Task = tuple[
    nn.Module, Callable[[list[Tensor]], Tensor], torch.optim.Optimizer, Callable[[Any], list[Tensor]]
]


def block(inputs: int, width: int, stride: int) -> nn.Module:
    """torchvision's basic block."""
    from torchvision.models.resnet import BasicBlock

    shortcut = None
    if stride != 1 or inputs != width:
        shortcut = nn.Sequential(nn.Conv2d(inputs, width, 1, stride, bias=False), nn.BatchNorm2d(width))
    return BasicBlock(inputs, width, stride, shortcut)


def resnet(width: int = 16) -> nn.Module:
    """ResNet-18 with the CIFAR stem, in any width."""
    layers: list[nn.Module] = [
        nn.Conv2d(3, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    ]
    inputs = width
    for stage in range(4):
        for index in range(2):
            layers.append(block(inputs, width * 2**stage, 2 if stage and not index else 1))
            inputs = width * 2**stage
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def vit() -> nn.Module:
    """Mean-pooled, as jssl's; with learned positions."""
    from timm.models.vision_transformer import VisionTransformer

    return VisionTransformer(
        img_size=SIZE,
        patch_size=4,
        embed_dim=192,
        depth=6,
        num_heads=3,
        num_classes=0,
        class_token=False,
        global_pool="avg",
    )


def simclr(name: str) -> Task:
    """lightly's SimCLR."""
    encoder, dim = (resnet(), 128) if name == "resnet" else (vit(), 192)
    model = nn.Sequential(encoder, SimCLRProjectionHead(dim, 128, 128)).to(memory_format=torch.channels_last)
    criterion = NTXentLoss(temperature=0.5)

    def loss(views: list[Tensor]) -> Tensor:
        views = [view.contiguous(memory_format=torch.channels_last) for view in views]
        return criterion(*map(model, views))

    if name == "resnet":
        optimizer: torch.optim.Optimizer = torch.optim.SGD(model.parameters(), 0.06, momentum=0.9)
    else:
        optimizer = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=0.05)
    normalize = {"mean": list(MEAN), "std": list(STD)}
    transform = SimCLRTransform(input_size=SIZE, cj_strength=0.5, gaussian_blur=0.0, normalize=normalize)
    return model, loss, optimizer, transform


def mae() -> Task:
    """Hugging Face's ViTMAE with its example's transforms."""
    from torchvision import transforms
    from transformers import ViTMAEConfig, ViTMAEForPreTraining

    config = ViTMAEConfig(
        hidden_size=192,
        num_hidden_layers=6,
        num_attention_heads=3,
        intermediate_size=768,
        image_size=SIZE,
        patch_size=4,
        decoder_hidden_size=96,
        decoder_num_hidden_layers=2,
        decoder_num_attention_heads=3,
        decoder_intermediate_size=384,
        norm_pix_loss=True,
    )
    model = ViTMAEForPreTraining(config)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, (0.9, 0.95), weight_decay=0.05)
    transform = transforms.Compose(
        [
            transforms.RandomResizedCrop(
                SIZE, (0.2, 1.0), interpolation=transforms.InterpolationMode.BICUBIC
            ),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
        ]
    )
    return model, lambda views: model(views[0]).loss, optimizer, lambda image: [transform(image)]


class Views(Dataset):
    """Images and their transform."""

    def __init__(self, transform: Callable[[Any], list[Tensor]]) -> None:
        arrays = np.random.default_rng(0).integers(0, 256, (IMAGES, SIZE, SIZE, 3), np.uint8)
        self.images, self.transform = [Image.fromarray(array) for array in arrays], transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> list[Tensor]:
        return self.transform(self.images[index])


def endless(loader: DataLoader) -> Iterator[list[Tensor]]:
    while True:
        yield from loader


def main() -> None:
    name, workers = sys.argv[1], int(sys.argv[2])
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    model, loss, optimizer, transform = mae() if name == "mae" else simclr(name)
    model.train()
    loader = DataLoader(
        Views(transform),
        BATCH,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    batches = endless(loader)

    def go(question: str) -> Iterator[float]:
        started = 0.0
        uncounted, counted = (0, 1) if question == FIRST else (UNCOUNTED, COUNTED)
        for number in range(uncounted + counted):
            if number == uncounted:
                started = time.perf_counter()
            optimizer.zero_grad()
            loss(next(batches)).backward()
            optimizer.step()
        yield counted * BATCH / (time.perf_counter() - started)

    sides.answer(go)


if __name__ == "__main__":
    main()
