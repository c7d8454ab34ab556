"""The peer's side of `league.py`, run by the Python that has lightly: the same pretraining in PyTorch.

    python benchmarks/league_lightly.py METHOD IMAGES.npz --seed 0 --steps 390 --out FEATURES.npz

Loss, heads and transforms are lightly's, put together as in its own examples; encoder, sizes, schedules and
optimizer are those of the small preset of `experiments/*_cifar10.py`. IMAGES.npz holds "train" and "test",
uint8 [n, 32, 32, 3]; FEATURES.npz gets the features of both and "speed", images a second.

What differs from jssl's runs is lightly's way: batch norm sees one view at a time in SimCLR, SwAV and DINO
too, and SwAV's prototypes have a bias.
"""

import argparse
import copy
import os
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from lightly.loss import (
    BarlowTwinsLoss,
    DINOLoss,
    NegativeCosineSimilarity,
    NTXentLoss,
    SwaVLoss,
    VICRegLoss,
)
from lightly.models import utils
from lightly.models.modules import MAEDecoderTIMM, MaskedVisionTransformerTIMM, heads
from lightly.models.modules.memory_bank import MemoryBankModule
from lightly.transforms import BYOLTransform, MAETransform, SimCLRTransform
from lightly.transforms.byol_transform import BYOLView1Transform, BYOLView2Transform
from lightly.utils.scheduler import cosine_schedule
from PIL import Image
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

BATCH = 256
WIDTH, FEATURES = 32, 128
PATCH = 8
NORMALIZE = {"mean": [0.4914, 0.4822, 0.4465], "std": [0.2470, 0.2435, 0.2616]}
START = 10
"""Steps before the clock starts."""

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Twin(NamedTuple):
    """One method.

    encode: images to the features that are evaluated.
    trained: holds what the optimizer changes.
    loss: `(views, step) -> loss`, for a list of batches [256, 3, 32, 32].
    transform: makes what takes one image to its views.
    update: `(step)`, after the optimizer.
    before: `(step)`, before the loss.
    rate: the highest learning rate of AdamW.
    fast: a part of `trained` that learns ten times as fast.
    """

    encode: nn.Module
    trained: nn.Module
    loss: Callable[[list[Tensor], int], Tensor]
    transform: Callable[[], Callable[[Image.Image], list[Tensor]]]
    update: Callable[[int], None] = lambda step: None
    before: Callable[[int], None] = lambda step: None
    rate: float = 3e-3
    fast: nn.Module = nn.Identity()


EPOCH = 10_000 // BATCH
"""Steps of a pass over the images."""


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            convolution(inputs, width, 3, stride),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            convolution(width, width, 3, 1),
            nn.BatchNorm2d(width),
        )
        same = inputs == width and stride == 1
        self.shortcut = (
            nn.Identity()
            if same
            else nn.Sequential(convolution(inputs, width, 1, stride), nn.BatchNorm2d(width))
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.shortcut(x))


def convolution(inputs: int, outputs: int, size: int, stride: int) -> nn.Conv2d:
    """Padded to keep the size, but for a patch, whose size is even."""
    padding = size // 2 if size % 2 else 0
    layer = nn.Conv2d(inputs, outputs, size, stride, padding, bias=False)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return layer


def resnet() -> nn.Module:
    """`nn.resnet((1, 1, 1), width=32, stem="patch4")`."""
    return nn.Sequential(
        convolution(3, WIDTH, 4, 4),
        nn.BatchNorm2d(WIDTH),
        nn.ReLU(inplace=True),
        Block(WIDTH, WIDTH, 1),
        Block(WIDTH, 2 * WIDTH, 2),
        Block(2 * WIDTH, 4 * WIDTH, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )


def simclr_views() -> SimCLRTransform:
    return SimCLRTransform(input_size=32, cj_strength=0.5, gaussian_blur=0.0, normalize=NORMALIZE)


def byol_views(smallest: float = 0.08) -> BYOLTransform:
    options = {"input_size": 32, "gaussian_blur": 0.0, "min_scale": smallest, "normalize": NORMALIZE}
    return BYOLTransform(BYOLView1Transform(**options), BYOLView2Transform(**options))


def simclr(steps: int) -> Twin:
    encoder = resnet()
    model = nn.Sequential(encoder, heads.SimCLRProjectionHead(FEATURES, 256, 256))
    criterion = NTXentLoss(temperature=0.2)
    return Twin(encoder, model, lambda views, step: criterion(*map(model, views)), simclr_views)


def barlow_twins(steps: int) -> Twin:
    encoder = resnet()
    model = nn.Sequential(encoder, heads.BarlowTwinsProjectionHead(FEATURES, 256, 256))
    criterion = BarlowTwinsLoss(lambda_param=0.0051 * 8)
    return Twin(encoder, model, lambda views, step: 0.1 * criterion(*map(model, views)), byol_views)


def vicreg(steps: int) -> Twin:
    encoder = resnet()
    model = nn.Sequential(encoder, heads.VICRegProjectionHead(FEATURES, 256, 256, num_layers=3))
    criterion = VICRegLoss(lambda_param=25.0, mu_param=50.0, nu_param=8.0)
    return Twin(encoder, model, lambda views, step: criterion(*map(model, views)), partial(byol_views, 0.2))


def byol(steps: int) -> Twin:
    encoder = resnet()
    online = nn.Sequential(encoder, heads.BYOLProjectionHead(FEATURES, 512, 256))
    target = copy.deepcopy(online)
    utils.deactivate_requires_grad(target)
    predictor = heads.BYOLPredictionHead(256, 512, 256)
    criterion = NegativeCosineSimilarity()

    def loss(views: list[Tensor], step: int) -> Tensor:
        a, b = (predictor(online(view)) for view in views)
        target_a, target_b = (target(view).detach() for view in views)
        return (criterion(a, target_b) + criterion(b, target_a)) / 2

    def update(step: int) -> None:
        utils.update_momentum(online, target, cosine_schedule(step, steps, 0.996, 1.0))

    trained = nn.ModuleList([online, predictor])
    return Twin(encoder, trained, loss, byol_views, update, rate=1e-3, fast=predictor)


def swav(steps: int) -> Twin:
    encoder = resnet()
    projector = heads.SwaVProjectionHead(FEATURES, 256, 128)
    prototypes = heads.SwaVPrototypes(128, 375, n_steps_frozen_prototypes=min(2 * EPOCH, steps // 20))
    queues = [MemoryBankModule(size=(480, 128)) for _ in range(2)]
    criterion = SwaVLoss(temperature=0.1, sinkhorn_epsilon=0.05, sinkhorn_iterations=3)

    def loss(views: list[Tensor], step: int) -> Tensor:
        z = [nn.functional.normalize(projector(encoder(view)), dim=1) for view in views]
        queued = [
            queue(own.detach(), update=True)[1].permute(1, 0) for queue, own in zip(queues, z, strict=True)
        ]
        rows = None
        if step >= min(50 * EPOCH, steps // 4):
            with torch.no_grad():
                rows = [prototypes(own, step) for own in queued]
        return criterion([prototypes(own, step) for own in z], [], rows)

    def normalize(step: int) -> None:
        with torch.no_grad():
            prototypes.normalize()

    model = nn.ModuleList([encoder, projector, prototypes])
    return Twin(encoder, model, loss, simclr_views, before=normalize)


def dino(steps: int) -> Twin:
    encoder = resnet()
    head, teacher_head = (heads.DINOProjectionHead(FEATURES, 256, 256, 512) for _ in range(2))
    student, teacher = nn.Sequential(encoder, head), nn.Sequential(resnet(), teacher_head)
    teacher.load_state_dict(student.state_dict())
    utils.deactivate_requires_grad(teacher)
    criterion = DINOLoss(output_dim=512, warmup_teacher_temp=0.04, teacher_temp=0.04)

    def loss(views: list[Tensor], step: int) -> Tensor:
        with torch.no_grad():
            targets = [teacher(view) for view in views]
        return criterion(targets, [student(view) for view in views], teacher_temp=0.04)

    def update(step: int) -> None:
        utils.update_momentum(student, teacher, cosine_schedule(step, steps, 0.98, 1.0))

    def freeze(step: int) -> None:
        head.last_layer.weight_v.requires_grad_(step >= EPOCH)

    return Twin(teacher[0], student, loss, byol_views, update, freeze)


def mae(steps: int) -> Twin:
    vit = VisionTransformer(
        img_size=32,
        patch_size=PATCH,
        embed_dim=96,
        depth=4,
        num_heads=3,
        num_classes=0,
        class_token=False,
        global_pool="",
    )
    encoder = MaskedVisionTransformerTIMM(vit)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        decoder = MAEDecoderTIMM(
            num_patches=(32 // PATCH) ** 2,
            patch_size=PATCH,
            embed_dim=96,
            decoder_embed_dim=64,
            decoder_depth=1,
            decoder_num_heads=2,
            num_prefix_tokens=0,
        )

    def loss(views: list[Tensor], step: int) -> Tensor:
        (images,) = views
        size = (len(images), encoder.sequence_length)
        keep, hidden = utils.random_token_mask(size, mask_ratio=0.75, mask_class_token=True, device=DEVICE)
        encoded = decoder.embed(encoder.encode(images, idx_keep=keep))
        tokens = utils.set_at_index(utils.repeat_token(decoder.mask_token, size), keep, encoded)
        predicted = decoder.predict(utils.get_at_index(decoder.decode(tokens), hidden))
        target = utils.get_at_index(utils.patchify(images, PATCH), hidden)
        return nn.functional.mse_loss(predicted, utils.normalize_mean_var(target))

    transform = partial(MAETransform, input_size=32, min_scale=0.08, normalize=NORMALIZE)
    model = nn.ModuleList([encoder, decoder])
    return Twin(nn.Sequential(encoder, nn.Flatten()), model, loss, transform)


TWINS = {make.__name__: make for make in (simclr, byol, barlow_twins, vicreg, swav, dino, mae)}


class Views(Dataset):
    """Images with their transform."""

    def __init__(self, images: np.ndarray, transform: Callable[[Image.Image], list[Tensor]]) -> None:
        self.images, self.transform = [Image.fromarray(image) for image in images], transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> list[Tensor]:
        return self.transform(self.images[index])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("method", choices=TWINS)
    parser.add_argument("images", type=Path)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes that make views")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    images = np.load(arguments.images)
    with DEVICE:
        twin = TWINS[arguments.method](arguments.steps)
    twin.trained.to(memory_format=torch.channels_last)
    loader = DataLoader(
        Views(images["train"], twin.transform()),
        BATCH,
        shuffle=True,
        drop_last=True,
        num_workers=arguments.workers,
        persistent_workers=True,
        pin_memory=DEVICE.type == "cuda",
    )
    speed = train(twin, loader, arguments.steps)
    encode = partial(embed, twin)
    np.savez(arguments.out, train=encode(images["train"]), test=encode(images["test"]), speed=speed)


def train(twin: Twin, loader: DataLoader, steps: int) -> float:
    """Images a second, from the tenth step on."""
    fast = set(twin.fast.parameters())
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for p in twin.trained.parameters():
        if p.requires_grad:
            peak, decay = 10 * twin.rate if p in fast else twin.rate, 1e-4 if p.ndim > 1 else 0.0
            groups.setdefault((peak, decay), []).append(p)
    optimizer = torch.optim.AdamW(
        [{"params": ps, "peak": peak, "weight_decay": decay} for (peak, decay), ps in groups.items()]
    )
    step, started = 0, time.perf_counter()
    while step < steps:
        for views in loader:
            if step == START:
                started = time.perf_counter()
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * share(step, steps)
            twin.before(step)
            moved = [view.to(DEVICE, non_blocking=True, memory_format=torch.channels_last) for view in views]
            loss = twin.loss(moved, step)
            if step % 100 == 0:
                print(f"step {step} loss {loss.item():.4f}", flush=True)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            twin.update(step)
            step += 1
            if step == steps:
                break
    loss.item()
    return (steps - START) * BATCH / (time.perf_counter() - started)


def share(step: int, steps: int) -> float:
    """Of the highest rate: up for a twentieth of the steps, then along a cosine to 0, as in optax."""
    warmup = steps // 20
    if step < warmup:
        return step / warmup
    return (1 + np.cos(np.pi * (step - warmup) / (steps - warmup))) / 2


@torch.no_grad()
def embed(twin: Twin, images: np.ndarray) -> np.ndarray:
    encode = twin.encode.eval()
    mean, std = (torch.tensor(NORMALIZE[name]).view(1, 3, 1, 1) for name in ("mean", "std"))
    parts = []
    for start in range(0, len(images), 512):
        x = torch.from_numpy(images[start : start + 512]).permute(0, 3, 1, 2).float() / 255
        parts.append(encode(((x - mean) / std).to(DEVICE)).cpu().numpy())
    return np.concatenate(parts)


if __name__ == "__main__":
    main()
