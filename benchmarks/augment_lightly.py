"""The peer's side of `augment.py`, run by the Python that has lightly: two views of PIL images, in processes.

Sizes are asked for by lines. The processes only transform: nothing is sent back or batched, which would cost
the peer more.
"""

import multiprocessing
import sys
import time

import numpy as np
import torch
from lightly.transforms import SimCLRTransform
from PIL import Image

from benchmarks import sides

IMAGES_A_TASK = {32: 256, 96: 64, 224: 16}
SECONDS = 2.0


def images(size: int) -> list[Image.Image]:
    rng = np.random.default_rng(0)
    return [
        Image.fromarray(rng.integers(0, 256, (size, size, 3), np.uint8)) for _ in range(IMAGES_A_TASK[size])
    ]


def transform_all(size: int) -> float:
    torch.set_num_threads(1)
    transform = SimCLRTransform(input_size=size, gaussian_blur=0.0 if size == 32 else 0.5)
    batch = images(size)
    start, done = time.perf_counter(), 0
    while time.perf_counter() - start < SECONDS:
        for image in batch:
            transform(image)
        done += len(batch)
    return done / (time.perf_counter() - start)


def main() -> None:
    processes = int(sys.argv[1])
    with multiprocessing.Pool(processes) as pool:
        sides.answer(lambda size: [sum(pool.map(transform_all, [int(size)] * processes, chunksize=1))])


if __name__ == "__main__":
    main()
