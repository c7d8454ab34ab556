"""Images per second that become two SimCLR views: jssl, vmapped and jitted, against lightly on PIL images.

    python -m benchmarks.augment --peer-python /path/to/python/with/lightly

Both sides take uint8 images of the size of the views and apply random resized crop, flip, colour jitter (0.8,
0.8, 0.8, 0.2; probability 0.8), grayscale (0.2), Gaussian blur (sigma 0.1 to 2, probability 0.5; none at 32
pixels, lightly's setting for CIFAR) and ImageNet's normalisation, at lightly's default strengths. They take
turns, a few seconds each; the peer works with as many processes as there are cores and keeps its results,
without a data loader's cost of sending and batching them.

Measured with the command above on two cores of an AMD EPYC (x86-64, AVX-512) shared with other work, jax
0.10.2, lightly 1.6.0 with torch 2.14.1, batches of 256, 32 and 4 images, medians of 5 rounds, images per
second:

    size   jssl    lightly   ratio
      32   63050      1699    37.1
      96    4342       691     6.3
     224     792       157     5.1
"""

import argparse
import functools
import os
import sys
import time
from collections.abc import Callable

import jax
import numpy as np

from benchmarks import sides
from jssl import platform
from jssl.core import Transform
from jssl.pretext import compose, image, simclr_augment, two_views

BATCH_SIZE = {32: 256, 96: 32, 224: 4}
SECONDS = 2.0


def views(size: int) -> Transform:
    augment = compose(
        simclr_augment(size, blur=size != 32),
        image.normalize(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    )
    both = two_views(augment)
    return lambda key, x: both(key, image.to_float(x))


def rates() -> Callable[[str], tuple[float]]:
    """jssl's side: the images a second of a size, whose views are compiled when it is first asked for."""
    platform.configure()

    @functools.cache
    def compiled(size: int) -> tuple[Callable, jax.Array]:
        rng = np.random.default_rng(0)
        images = jax.numpy.asarray(rng.integers(0, 256, (BATCH_SIZE[size], size, size, 3), np.uint8))
        both = jax.jit(lambda key, x: jax.vmap(views(size))(jax.random.split(key, len(x)), x))
        both(jax.random.key(0), images).block_until_ready()
        return both, images

    def images_per_second(size: str) -> tuple[float]:
        both, images = compiled(int(size))
        start, step = time.perf_counter(), 0
        while time.perf_counter() - start < SECONDS:
            both(jax.random.key(step), images).block_until_ready()
            step += 1
        return (step * len(images) / (time.perf_counter() - start),)

    return images_per_second


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--peer-python", help="a Python that has lightly; without it only jssl is measured")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--answer", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.answer:
        sides.answer(rates())
        return
    cores = len(os.sched_getaffinity(0))
    turns = {"jssl": sides.Side(sys.executable, "augment", "--answer")}
    if arguments.peer_python:
        turns["lightly"] = sides.Side(arguments.peer_python, "augment_lightly", str(cores))
    print(f"{cores} cores, medians of {arguments.rounds} rounds, images per second (two views each)")
    for size in BATCH_SIZE:
        found = {name: speed for name, (speed,) in sides.in_turn(turns, size, arguments.rounds).items()}
        cells = [f"{name} {speed:8.0f} ({found['jssl'] / speed:5.2f})" for name, speed in found.items()]
        print(f"{size:4d} px   " + "   ".join(cells), flush=True)
    for side in turns.values():
        side.close()


if __name__ == "__main__":
    main()
