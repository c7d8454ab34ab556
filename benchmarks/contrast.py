"""Time and memory of NT-Xent with its gradient: jssl on tiles of the similarities, lightly on all of them.

    python -m benchmarks.contrast --peer-python /path/to/python/with/lightly

Embeddings have 128 dimensions, float32. The libraries take turns on the same cores, in a new process for each
turn; memory is what the process needed at its highest beyond what it had before the batch, compilation
included. "plain" is the same loss in JAX with the whole matrix.
"""

import argparse
import resource
import statistics
import sys
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp

from benchmarks import sides
from jssl import losses, ops, platform

DIM, TEMPERATURE, SECONDS = 128, 0.1, 1.0


def plain(z_a: jax.Array, z_b: jax.Array) -> jax.Array:
    """The loss as it is written down."""
    z = ops.l2_normalize(jnp.concatenate([z_a, z_b]))
    logits = z @ z.T / TEMPERATURE - jnp.diag(jnp.full(len(z), jnp.inf))
    partners = (jnp.arange(len(z)) + len(z_a)) % len(z)
    return ops.mean(ops.cross_entropy(logits, partners))


def tiled(z_a: jax.Array, z_b: jax.Array) -> jax.Array:
    return losses.nt_xent(z_a, z_b, temperature=TEMPERATURE)


def highest() -> float:
    """Megabytes that this process has had at its highest."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def figures(loss: Callable[[jax.Array, jax.Array], jax.Array]) -> Callable[[str], tuple[float, float]]:
    """Milliseconds and megabytes of a batch size."""
    platform.configure()
    step = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))
    jax.block_until_ready(step(jnp.ones((2, DIM)), jnp.ones((2, DIM))))
    before = highest()

    def measured(batch: str) -> tuple[float, float]:
        views = [jax.random.normal(jax.random.key(seed), (int(batch), DIM)) for seed in (0, 1)]
        jax.block_until_ready(step(*views))
        times: list[float] = []
        while not times or sum(times) < SECONDS:
            start = time.perf_counter()
            jax.block_until_ready(step(*views))
            times.append(time.perf_counter() - start)
        return 1e3 * statistics.median(times), highest() - before

    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--peer-python", help="a Python that has lightly; without it only jssl is measured")
    parser.add_argument("--batches", type=int, nargs="+", default=[256, 1024, 4096, 8192])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--answer", choices=("tiled", "plain"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.answer:
        sides.answer(figures({"tiled": tiled, "plain": plain}[arguments.answer]))
        return
    turns = {
        "jssl": sides.Once(sys.executable, "contrast", "--answer", "tiled"),
        "plain": sides.Once(sys.executable, "contrast", "--answer", "plain"),
    }
    if arguments.peer_python:
        turns["lightly"] = sides.Once(arguments.peer_python, "contrast_lightly")
    print(f"medians of {arguments.rounds} rounds; theirs / ours in brackets")
    for batch in arguments.batches:
        found = sides.in_turn(turns, batch, arguments.rounds)
        own = found["jssl"][0]
        cells = [
            f"{name} {time:9.1f} ms ({time / own:5.2f}) {memory:8.0f} MB"
            for name, (time, memory) in found.items()
        ]
        print(f"{batch:6d}   " + "   ".join(cells), flush=True)


if __name__ == "__main__":
    main()
