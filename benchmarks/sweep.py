"""Runs that differ in their seeds: in one program, against as many runs of their own.

    python -m benchmarks.sweep --seeds 8

Each is a command in a new process, from its start to its page, and compiles anew. The runs train SimCLR with
a small encoder on Fashion-MNIST, without evaluations.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import optax

from jssl import data, methods, nn, pretext
from jssl.experiment import Experiment


def sweep(
    data_dir: str | None = None,
    seed: int = 0,
    steps: int = 200,
    batch_size: int = 128,
    width: int = 8,
) -> Experiment:
    """SimCLR with a small encoder.

    Args:
        data_dir: Where TFDS prepared fashion_mnist; the sample inside the package if not given.
        seed: Of everything random.
        steps: Training steps.
        batch_size: Images a step.
        width: Channels of the encoder.
    """
    augment = pretext.compose(
        pretext.image.random_resized_crop(28, scale=(0.6, 1.0)), pretext.image.horizontal_flip()
    )
    return Experiment(
        name="sweep",
        data=data.fashion_mnist(data_dir),
        method=methods.simclr(
            encoder=nn.resnet((1, 1), width=width, stem="patch4", pool="flatten"),
            projector=nn.mlp((64, 32)),
            augment=pretext.two_views(augment),
        ),
        optimizer=optax.adamw(3e-3),
        steps=steps,
        batch_size=batch_size,
        seed=seed,
        evals=(),
    )


def seconds(command: str, *options: str) -> float:
    """Of a command of jssl's with this experiment, whose compilations nothing has kept."""
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, "-m", "jssl.cli", command, __file__, "--run-dir", f"{folder}/run", *options]
        environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": f"{folder}/cache"}
        start = time.perf_counter()
        finished = subprocess.run(
            words, env=environment, cwd=Path(__file__).parent.parent, capture_output=True, text=True
        )
        if finished.returncode:
            raise SystemExit(finished.stdout + finished.stderr)
        return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--steps", type=int, default=200)
    arguments = parser.parse_args()
    steps = ("--steps", str(arguments.steps))
    alone = [seconds("train", "--seed", str(seed), *steps) for seed in range(arguments.seeds)]
    print(f"{arguments.seeds} runs: {sum(alone):.1f} s, one after the other", flush=True)
    seeds = ",".join(str(seed) for seed in range(arguments.seeds))
    together = seconds("sweep", "--seed", seeds, *steps)
    print(f"one program: {together:.1f} s, {together / sum(alone):.2f} of that")


if __name__ == "__main__":
    main()
