"""Pretraining from end to end, images per second: jssl against PyTorch with lightly and Hugging Face.

    python -m benchmarks.pretraining --peer-python PYTHON_WITH_LIGHTLY_TIMM_AND_TRANSFORMERS

Both sides shuffle and batch 10,000 uint8 images of 32 pixels, make the views, and train in float32:

    resnet   SimCLR, ResNet-18 of width 16 with the CIFAR stem, batches of 128, SGD with momentum
    vit      SimCLR, ViT of 6 blocks, 192 wide, 3 heads, 64 tokens, batches of 128, AdamW
    mae      MAE, the same ViT on 16 of 64 tokens, decoder of 2 blocks, 96 wide, batches of 128, AdamW

The peer's models are lightly's (ResNet with its head), timm's with lightly's head, and transformers' ViTMAE;
it works channels-last, its transforms are lightly's and torchvision's in as many worker processes of the data
loader as do best. The sides take turns, some seconds each, on the same cores; each starts with steps that
nobody counts, so that what the other's turn left in buffers is used up.
"""

import argparse
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from benchmarks import sides

WORKLOADS = ("resnet", "vit", "mae")
BATCH, IMAGES, SIZE = 128, 10_000, 32
UNCOUNTED, COUNTED = 6, 14
FUSION = {"resnet": ("DOT", "REDUCE", "ELTWISE"), "vit": ("REDUCE",), "mae": ("REDUCE",)}
"""What the CPU's kernel library takes: for each network the fastest choice, as the peer's workers are."""
FIRST = "first"
"""Asked for instead of "go": one step, as `startup.py` needs it."""
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


def main() -> None:
    """Print both speeds and their ratio for each workload."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=WORKLOADS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peer-python", help="the Python of the peers; without it jssl is alone")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="of the peer's data loader")
    parser.add_argument("--answer", choices=WORKLOADS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.answer:
        sides.answer(speeds(arguments.answer))
    for name in () if arguments.answer else arguments.workloads:
        print(compare(name, arguments.peer_python, arguments.workers, arguments.rounds), flush=True)


def compare(name: str, peer: str | None, workers: Iterable[int], rounds: int) -> str:
    """One workload's line."""
    import sys

    both = {"jssl": sides.Side(sys.executable, "pretraining", "--answer", name)}
    if peer:
        both |= {f"{n} workers": sides.Side(peer, "pretraining_torch", name, str(n)) for n in workers}
    found = sides.in_turn(both, "go", rounds)
    for side in both.values():
        side.close()
    own = found.pop("jssl")[0]
    line = f"{name:8} jssl {own:6.0f} images/s"
    for which, (speed,) in found.items():
        line += f"   peer, {which}: {speed:6.0f}, ratio {own / speed:.2f}"
    return line


def speeds(name: str) -> Callable[[str], Iterator[float]]:
    """jssl's side: images a second from the loader on, each time it is asked."""
    from jssl import platform

    platform.configure()
    import jax
    import numpy as np

    from jssl import data, train
    from jssl.experiment import Experiment
    from jssl.program import Program

    images = np.random.default_rng(0).integers(0, 256, (IMAGES, SIZE, SIZE, 3), np.uint8)
    source = data.arrays(image=images)
    method, optimizer = workload(name)
    program = Program(
        Experiment(
            name=name,
            data=data.DataSet(source, source),
            method=method,
            optimizer=optimizer,
            batch_size=BATCH,
            steps=1,
            fusion=FUSION[name],
        ),
        train.device_mesh(jax.devices()[:1]),
    )
    step, state = program.compile_step(), program.initial_state()
    feed = train.Feed(data.loader(source, batch_size=BATCH, seed=0), train.batch_sharding(program.mesh))

    def go(question: str) -> Iterator[float]:
        nonlocal state
        started = 0.0
        uncounted, counted = (0, 1) if question == FIRST else (UNCOUNTED, COUNTED)
        for number in range(uncounted + counted):
            if number == uncounted:
                jax.block_until_ready(state)
                started = time.perf_counter()
            state, _ = step(state, next(feed))
        jax.block_until_ready(state)
        yield counted * BATCH / (time.perf_counter() - started)

    return go


def workload(name: str) -> tuple[Any, Any]:
    """Method and optimizer."""
    import optax

    from jssl import methods, nn, pretext
    from jssl.pretext import image

    if name == "mae":
        crop = pretext.compose(
            image.random_resized_crop(SIZE, scale=(0.2, 1.0), interpolation="bicubic"),
            image.horizontal_flip(),
        )
        method = methods.mae(
            tokenizer=nn.patches(4),
            encoder=nn.transformer(192, 6, 3),
            decoder=nn.transformer(96, 2, 3),
            augment=crop,
            mean=MEAN,
            std=STD,
        )
        return method, optax.adamw(1e-3, b2=0.95, weight_decay=0.05)
    resnet = name == "resnet"
    encoder = nn.resnet18(width=16, stem="cifar") if resnet else nn.vit(nn.patches(4), 192, 6, 3)
    method = methods.simclr(
        encoder=nn.normalized(encoder, mean=MEAN, std=STD),
        projector=nn.mlp((128, 128)),
        augment=pretext.two_views(pretext.simclr_augment(SIZE, strength=0.5, blur=False)),
    )
    return method, optax.sgd(0.06, momentum=0.9) if resnet else optax.adamw(1e-3, weight_decay=0.05)


if __name__ == "__main__":
    main()
