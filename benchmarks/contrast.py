"""Time and memory of NT-Xent with its gradient: jssl on tiles of the similarities, lightly on all of them.

    python -m benchmarks.contrast --peer-python /path/to/python/with/lightly

Embeddings have 128 dimensions, float32. The libraries take turns on the same cores; memory is what the
process needed at its highest beyond what it had before the first batch, compilation included. "plain" is the
same loss in JAX with the whole matrix.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp

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


def serve(loss: Callable[[jax.Array, jax.Array], jax.Array]) -> None:
    """Answer each batch size on stdin with milliseconds and megabytes."""
    platform.configure()
    step = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))
    jax.block_until_ready(step(jnp.ones((2, DIM)), jnp.ones((2, DIM))))
    before = highest()
    for line in sys.stdin:
        views = [jax.random.normal(jax.random.key(seed), (int(line), DIM)) for seed in (0, 1)]
        jax.block_until_ready(step(*views))
        times = []
        while not times or sum(times) < SECONDS:
            start = time.perf_counter()
            jax.block_until_ready(step(*views))
            times.append(time.perf_counter() - start)
        print(1e3 * statistics.median(times), highest() - before, flush=True)


class Side:
    """One library in a process of its own."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def measure(self, batch: int) -> tuple[float, float]:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{batch}\n")
        self.process.stdin.flush()
        milliseconds, megabytes = self.process.stdout.readline().split()
        return float(milliseconds), float(megabytes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--peer-python", help="a Python that has lightly; without it only jssl is measured")
    parser.add_argument("--batches", type=int, nargs="+", default=[256, 1024, 4096, 8192])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", choices=("tiled", "plain"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve({"tiled": tiled, "plain": plain}[arguments.serve])
        return
    own = [sys.executable, "-m", "benchmarks.contrast", "--serve"]
    sides = {"jssl": Side([*own, "tiled"]), "plain": Side([*own, "plain"])}
    if arguments.peer_python:
        peer = str(Path(__file__).with_name("contrast_lightly.py"))
        sides["lightly"] = Side([arguments.peer_python, peer])
    print(f"medians of {arguments.rounds} rounds; theirs / ours in brackets")
    for batch in arguments.batches:
        rounds = [
            {name: side.measure(batch) for name, side in sides.items()} for _ in range(arguments.rounds)
        ]
        times = {name: statistics.median(found[name][0] for found in rounds) for name in sides}
        memory = {name: rounds[-1][name][1] for name in sides}
        cells = [
            f"{name} {times[name]:9.1f} ms ({times[name] / times['jssl']:5.2f}) {memory[name]:8.0f} MB"
            for name in sides
        ]
        print(f"{batch:6d}   " + "   ".join(cells), flush=True)
    for side in sides.values():
        side.process.terminate()


if __name__ == "__main__":
    main()
