"""The peer's side of `pipeline.py`: torchvision's folder in PyTorch's loader, and nothing of jssl.

Run as `python -m benchmarks.pipeline_torch FOLDER WORKERS`; sizes are asked for by lines.
"""

import sys
from collections.abc import Iterator

from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

from benchmarks import sides
from benchmarks.pipeline import BATCH, COMPARED, rate


def endless(loader: DataLoader) -> Iterator[object]:
    while True:
        yield from loader


def main() -> None:
    folder, workers = sys.argv[1], int(sys.argv[2])

    def answer(size: str) -> Iterator[float]:
        steps = [transforms.Resize(int(size)), transforms.CenterCrop(int(size)), transforms.PILToTensor()]
        source = ImageFolder(folder, transforms.Compose(steps))
        loader = DataLoader(
            source,
            BATCH,
            shuffle=True,
            drop_last=True,
            num_workers=workers,
            persistent_workers=workers > 0,
        )
        yield rate(endless(loader))
        yield sum(source[index][0].float().mean().item() for index in range(COMPARED)) / COMPARED

    sides.answer(answer)


if __name__ == "__main__":
    main()
