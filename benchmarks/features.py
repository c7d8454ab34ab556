"""What is done with features, k-means and weighted kNN: jssl against faiss, scikit-learn and lightly.

    python -m benchmarks.features --peer-python PYTHON_WITH_FAISS_SCIKIT_LEARN_AND_LIGHTLY

    random     Lloyd's k-means: 50,000 points of 128 dimensions, 256 clusters, 20 iterations from any rows
    k-means++  the same from rows drawn far apart
    stream     three passes of mini-batches of 1,024 over these points: 146 updates from a start by k-means++
    knn-20     accuracy of 10,000 examples by their 20 nearest of 50,000, 512 dimensions, 10 classes
    knn-200    the same by the 200 nearest

Time stands beside what it bought: the inertia (the sum of squared distances to the nearest centroid, over all
points; lower is better) of starts that differ from round to round, or the accuracy. Both take NumPy's
arrays; lightly's `knn_predict`, which holds all similarities of a batch, gets 256 examples at once. The sides
take turns on the same cores, and each is asked once before that is counted.
"""

import argparse
import itertools
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np

from benchmarks import sides

POINTS, DIM, CLUSTERS, ITERATIONS, BATCH, PASSES = 50_000, 128, 256, 20, 1024, 3
BANK, QUERIES, WIDTH, CLASSES, TEMPERATURE = 50_000, 10_000, 512, 10, 0.07
TASKS = {
    "random": ("faiss", "sklearn"),
    "k-means++": ("sklearn",),
    "stream": ("sklearn",),
    "knn-20": ("lightly",),
    "knn-200": ("lightly",),
}
"""Each with the peers that have it."""

Answer = Callable[[str], Iterator[float]]


def points() -> np.ndarray:
    """Points near a curved surface of eight dimensions, where Lloyd's iterations go on for long."""
    rng = np.random.default_rng(0)
    surface = np.tanh(rng.normal(size=(POINTS, 8)) @ rng.normal(size=(8, DIM)))
    return (surface + 0.1 * rng.normal(size=surface.shape)).astype(np.float32)


def labelled(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features of classes that overlap, and their labels."""
    centres = 0.1 * np.random.default_rng(0).normal(size=(CLASSES, WIDTH))
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, count)
    return (centres[labels] + rng.normal(size=(count, WIDTH))).astype(np.float32), labels.astype(np.int32)


def own() -> Answer:
    """jssl's side: seconds, and the inertia or the accuracy."""
    from jssl import platform

    platform.configure()
    import jax
    import jax.numpy as jnp

    from jssl import evals, ops

    x, (bank, bank_labels), (queries, labels) = points(), labelled(BANK, 1), labelled(QUERIES, 2)
    seeds = itertools.count()

    def lloyd(start: str) -> Iterator[float]:
        key, began = jax.random.key(next(seeds)), time.perf_counter()
        found = ops.kmeans(jnp.asarray(x), CLUSTERS, key=key, num_iterations=ITERATIONS, start=start)
        yield from timed(began, lambda: float(found.distortion) * POINTS)

    def stream() -> Iterator[float]:
        seed, began = next(seeds), time.perf_counter()
        rows = np.random.default_rng(seed).permuted(np.tile(np.arange(POINTS), (PASSES, 1)), axis=1).ravel()
        keys = jax.random.split(jax.random.key(seed), 1 + len(rows) // BATCH)
        clusters = ops.minibatch_kmeans_start(x[rows[: 3 * BATCH]], CLUSTERS, key=keys[0])
        for number, key in enumerate(keys[1:]):
            batch = x[rows[number * BATCH : (number + 1) * BATCH]]
            clusters = ops.minibatch_kmeans_update(clusters, batch, key=key)
        jax.block_until_ready(clusters)
        yield time.perf_counter() - began
        yield float(jnp.sum(ops.nearest_centroids(jnp.asarray(x), clusters.centroids)[1]))

    def knn(k: int) -> Iterator[float]:
        began = time.perf_counter()
        accuracy = evals.knn_accuracy(bank, bank_labels, queries, labels, k=k, temperature=TEMPERATURE)
        yield from timed(began, lambda: accuracy)

    def answer(task: str) -> Iterator[float]:
        if task.startswith("knn-"):
            return knn(int(task.removeprefix("knn-")))
        return stream() if task == "stream" else lloyd(task)

    return answer


def timed(began: float, quality: Callable[[], float]) -> Iterator[float]:
    """The seconds until the figure is there, and the figure."""
    figure = quality()
    yield time.perf_counter() - began
    yield figure


def compare(task: str, turns: dict[str, sides.Side], rounds: int) -> str:
    """One task's line."""
    found = sides.in_turn(turns, task, rounds)
    own_seconds = found["jssl"][0]
    cells = [
        f"{name} {seconds:6.2f} s ({seconds / own_seconds:5.2f}) {quality:10.6g}"
        for name, (seconds, quality) in found.items()
    ]
    return f"{task:10} " + "   ".join(cells)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peer-python", help="the Python of the peers; without it jssl is alone")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--answer", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.answer:
        sides.answer(own())
        return
    print(f"medians of {arguments.rounds} rounds: seconds, theirs / ours in brackets, inertia or accuracy")
    for task in arguments.tasks:
        turns = {"jssl": sides.Side(sys.executable, "features", "--answer")}
        for peer in TASKS[task] if arguments.peer_python else ():
            turns[peer] = sides.Side(arguments.peer_python, "features_peers", peer)
        sides.in_turn(turns, task, 1)
        print(compare(task, turns, arguments.rounds), flush=True)
        for side in turns.values():
            side.close()


if __name__ == "__main__":
    main()
