"""Images per second that become two SimCLR views: jssl, vmapped and jitted, against lightly on PIL images.

    python benchmarks/augment.py --peer-python /path/to/python/with/lightly

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
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np

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


class Ours:
    """The compiled views of one size, measured for a few seconds at a time."""

    def __init__(self, size: int) -> None:
        rng = np.random.default_rng(0)
        self.images = jax.numpy.asarray(rng.integers(0, 256, (BATCH_SIZE[size], size, size, 3), np.uint8))
        self.views = jax.jit(lambda key, x: jax.vmap(views(size))(jax.random.split(key, len(x)), x))
        self.views(jax.random.key(0), self.images).block_until_ready()

    def images_per_second(self) -> float:
        start, step = time.perf_counter(), 0
        while time.perf_counter() - start < SECONDS:
            self.views(jax.random.key(step), self.images).block_until_ready()
            step += 1
        return step * len(self.images) / (time.perf_counter() - start)


class Peer:
    """lightly in a Python of its own."""

    def __init__(self, python: str, processes: int) -> None:
        command = [python, str(Path(__file__).with_name("augment_lightly.py")), str(processes)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def images_per_second(self, size: int) -> float:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{size}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--peer-python", help="a Python that has lightly; without it only jssl is measured")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    platform.configure()
    cores = len(os.sched_getaffinity(0))
    peer = Peer(arguments.peer_python, cores) if arguments.peer_python else None
    print(f"{cores} cores, medians of {arguments.rounds} rounds, images per second (two views each)")
    for size in BATCH_SIZE:
        ours = Ours(size)
        rates, peer_rates = [], []
        for _ in range(arguments.rounds):
            rates.append(ours.images_per_second())
            peer_rates += [peer.images_per_second(size)] if peer else []
        line = f"{size:4d} px   jssl {statistics.median(rates):8.0f}"
        if peer:
            ratio = statistics.median(rates) / statistics.median(peer_rates)
            line += f"   lightly {statistics.median(peer_rates):8.0f}   ratio {ratio:5.1f}"
        print(line, flush=True)
    if peer and peer.process.stdin:
        peer.process.stdin.close()
        peer.process.wait()


if __name__ == "__main__":
    sys.exit(main())
