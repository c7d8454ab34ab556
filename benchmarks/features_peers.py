"""The peers' sides of `features.py`: faiss, scikit-learn or lightly, and nothing of jssl.

Run as `python -m benchmarks.features_peers PEER`; tasks are asked for by lines.
"""

import itertools
import os
import sys
import time
from collections.abc import Iterator

from benchmarks import sides
from benchmarks.features import (
    BANK,
    BATCH,
    CLASSES,
    CLUSTERS,
    DIM,
    ITERATIONS,
    PASSES,
    POINTS,
    QUERIES,
    TEMPERATURE,
    Answer,
    labelled,
    points,
    timed,
)


def faiss() -> Answer:
    """Its k-means on all points; the inertia is not in the time."""
    import faiss

    x, seeds = points(), itertools.count(1)

    def answer(task: str) -> Iterator[float]:
        began = time.perf_counter()
        found = faiss.Kmeans(
            DIM,
            CLUSTERS,
            niter=ITERATIONS,
            min_points_per_centroid=1,
            max_points_per_centroid=POINTS,
            seed=next(seeds),
        )
        found.train(x)
        yield time.perf_counter() - began
        yield float(found.index.search(x, 1)[0].sum())

    return answer


def sklearn() -> Answer:
    """Its k-means, which must not end before the last iteration, and that of mini-batches."""
    from sklearn.cluster import KMeans, MiniBatchKMeans

    x, seeds = points(), itertools.count()

    def lloyd(start: str) -> Iterator[float]:
        began = time.perf_counter()
        found = KMeans(
            CLUSTERS, init=start, n_init=1, max_iter=ITERATIONS, tol=0, random_state=next(seeds)
        ).fit(x)
        yield from timed(began, lambda: found.inertia_)
        if found.n_iter_ < ITERATIONS:
            raise ValueError(f"ended after {found.n_iter_} iterations: the work was not the same")

    def stream() -> Iterator[float]:
        began = time.perf_counter()
        found = MiniBatchKMeans(
            CLUSTERS,
            batch_size=BATCH,
            n_init=1,
            max_iter=PASSES,
            tol=0,
            max_no_improvement=None,
            compute_labels=False,
            random_state=next(seeds),
        ).fit(x)
        yield time.perf_counter() - began
        yield -found.score(x)

    return lambda task: stream() if task == "stream" else lloyd(task)


def lightly() -> Answer:
    """Its kNN, batch after batch, as its own evaluation does it."""
    import torch
    from lightly.utils.benchmarking import knn_predict
    from torch.nn.functional import normalize

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    (x, y), (queries, labels) = (
        [torch.from_numpy(array) for array in labelled(*which)] for which in ((BANK, 1), (QUERIES, 2))
    )

    def answer(task: str) -> Iterator[float]:
        k, right, began = int(task.removeprefix("knn-")), 0, time.perf_counter()
        bank = normalize(x, dim=1).T.contiguous()
        for start in range(0, QUERIES, 256):
            features, truth = (array[start : start + 256] for array in (queries, labels))
            found = knn_predict(normalize(features, dim=1), bank, y.long(), CLASSES, k, TEMPERATURE)
            right += int((found[:, 0] == truth).sum())
        yield from timed(began, lambda: right / QUERIES)

    return answer


if __name__ == "__main__":
    sides.answer({"faiss": faiss, "sklearn": sklearn, "lightly": lightly}[sys.argv[1]]())
