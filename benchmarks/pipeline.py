"""Images a second from JPEG files to uint8 batches: jssl's folder and loader against PyTorch's.

    python -m benchmarks.pipeline --peer-python PYTHON_WITH_TORCHVISION

2,000 files of 256 to 500 pixels a side, smooth and random, in a temporary folder. Both sides shuffle, decode,
bring the shorter side to the size, cut the centre square and batch 64 images: `data.loader` over
`data.image_folder` with its four threads, `DataLoader` over torchvision's `ImageFolder` in as many worker
processes as do best, of 0, 1 and 2. They take turns on the same cores; each starts its threads or processes
anew for a turn, and counts from the eighth batch on. "difference" is that of the mean pixel of 16 files, of
255: jssl decodes files of more than twice the size at a lower resolution, which at 64 pixels is all of them.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benchmarks import sides

FILES, CLASSES, SIDES, QUALITY = 2_000, 10, (256, 500), 90
BATCH, UNCOUNTED, COUNTED, COMPARED = 64, 8, 32, 16


def make_files(folder: Path) -> None:
    """JPEG files in class folders."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for label in range(CLASSES):
        (folder / str(label)).mkdir()
    for number in range(FILES):
        coarse = Image.fromarray(rng.integers(0, 256, (12, 12, 3), np.uint8))
        width, height = rng.integers(*SIDES, 2, endpoint=True).tolist()
        smooth = coarse.resize((width, height), Image.Resampling.BICUBIC)
        smooth.save(folder / str(number % CLASSES) / f"{number:04d}.jpg", quality=QUALITY)


def rate(batches: Iterator[object]) -> float:
    """Images a second from the eighth batch on."""
    for _ in range(UNCOUNTED):
        next(batches)
    began = time.perf_counter()
    for _ in range(COUNTED):
        next(batches)
    return COUNTED * BATCH / (time.perf_counter() - began)


def own(folder: str) -> Callable[[str], Iterator[float]]:
    """jssl's side: the images a second of a size, and the mean pixel of the first files."""
    from jssl import data

    def answer(size: str) -> Iterator[float]:
        source = data.image_folder(folder, size=int(size))
        loader = data.loader(source, batch_size=BATCH, seed=0)
        yield rate(loader)
        loader.close()
        yield float(np.mean([source[index]["image"].mean() for index in range(COMPARED)]))

    return answer


def compare(size: int, turns: dict[str, sides.Side], rounds: int) -> str:
    """One size's line."""
    found = sides.in_turn(turns, size, rounds)
    own_speed, own_mean = found.pop("jssl")
    line = f"{size:4d} px   jssl {own_speed:6.0f} images/s"
    for name, (speed, _) in found.items():
        line += f"   {name} {speed:6.0f}"
    if found:
        best, mean = max(found.values())
        line += f"   jssl / the best {own_speed / best:.2f}   difference {abs(own_mean - mean):.2f}"
    return line


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peer-python", help="a Python that has torchvision; without it jssl is alone")
    parser.add_argument("--sizes", type=int, nargs="+", default=[224, 64])
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2], help="of the peer's loader")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--answer", metavar="FOLDER", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.answer:
        sides.answer(own(arguments.answer))
        return
    with tempfile.TemporaryDirectory() as folder:
        make_files(Path(folder))
        turns = {"jssl": sides.Side(sys.executable, "pipeline", "--answer", folder)}
        for number in arguments.workers if arguments.peer_python else ():
            peer = sides.Side(arguments.peer_python, "pipeline_torch", folder, str(number))
            turns[f"{number} workers"] = peer
        # Uncounted, since the others are still loading their libraries during the first one's turn.
        sides.in_turn(turns, arguments.sizes[0], 1)
        print(f"medians of {arguments.rounds} rounds")
        for size in arguments.sizes:
            print(compare(size, turns, arguments.rounds), flush=True)
        for side in turns.values():
            side.close()


if __name__ == "__main__":
    main()
