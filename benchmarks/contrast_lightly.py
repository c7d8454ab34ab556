"""The other side of `contrast.py`: lightly's NT-Xent; needs lightly, and nothing of jssl."""

import resource
import statistics
import time

import torch
from lightly.loss import NTXentLoss

from benchmarks import sides

DIM, TEMPERATURE, SECONDS = 128, 0.1, 1.0


def highest() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def main() -> None:
    loss = NTXentLoss(temperature=TEMPERATURE)
    before = highest()

    def measured(batch: str) -> tuple[float, float]:
        views = [torch.randn(int(batch), DIM, requires_grad=True) for _ in range(2)]
        torch.autograd.grad(loss(*views), views)
        times: list[float] = []
        while not times or sum(times) < SECONDS:
            start = time.perf_counter()
            torch.autograd.grad(loss(*views), views)
            times.append(time.perf_counter() - start)
        return 1e3 * statistics.median(times), highest() - before

    sides.answer(measured)


if __name__ == "__main__":
    main()
