"""What XLA's CPU options are worth: SimCLR's training step with and without the kernel library, in turn.

    python -m benchmarks.flags [--model resnet|vit|mae|small-simclr|small-mae]

Each setting runs in a process of its own, to be alone in it; the settings take turns, and medians
are compared. The first three are those of `pretraining.py`, the others the steps of the experiments on
Fashion-MNIST.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from typing import Any

MODELS = ("resnet", "vit", "mae", "small-simclr", "small-mae")

SETTINGS: dict[str, tuple[str, ...]] = {
    "none": (),
    "DOT": ("DOT",),
    "DOT,REDUCE": ("DOT", "REDUCE"),
    "DOT,ELTWISE,REDUCE": ("DOT", "ELTWISE", "REDUCE"),
}


def main() -> None:
    """Print examples per second of each setting and its ratio to none."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=MODELS, default="resnet")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--setting", choices=SETTINGS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.setting is not None:
        print(examples_per_second(arguments.model, arguments.steps, SETTINGS[arguments.setting]))
        return
    speeds: dict[str, list[float]] = {name: [] for name in SETTINGS}
    for _ in range(arguments.rounds):
        for name, found in speeds.items():
            found.append(in_a_process(arguments.model, arguments.steps, name))
    plain = statistics.median(speeds["none"])
    for name, found in speeds.items():
        speed = statistics.median(found)
        print(f"{arguments.model:12} {name:20} {speed:8.0f} examples/s   ratio {speed / plain:.2f}")


def in_a_process(model: str, steps: int, setting: str) -> float:
    """The same measurement in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.flags", "--model", model, "--steps", str(steps)]
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    printed = subprocess.run(
        [*command, "--setting", setting], env=environment, check=True, capture_output=True, text=True
    )
    return float(printed.stdout.split()[-1])


def examples_per_second(model: str, steps: int, fusion: tuple[str, ...]) -> float:
    """The median speed of a training step, after the first calls."""
    from jssl import platform

    platform.configure()
    import jax
    import numpy as np

    from jssl import train

    method, optimizer, shape, batch_size = workload(model)
    image = np.random.default_rng(0).integers(0, 256, (batch_size, *shape), np.uint8)
    batch = {"image": jax.device_put(image)}
    options = platform.step_options("cpu", fusion=fusion)
    step = jax.jit(train.make_step(method, optimizer), donate_argnums=0, compiler_options=options)
    state = jax.jit(lambda key: train.init_state(method, optimizer, key, batch))(jax.random.key(0))
    seconds = []
    for _ in range(steps):
        started = time.perf_counter()
        state, _ = jax.block_until_ready(step(state, batch))
        seconds.append(time.perf_counter() - started)
    return batch_size / statistics.median(seconds[3:])


def workload(model: str) -> tuple[Any, Any, tuple[int, ...], int]:
    """Method, optimizer, image shape and batch size."""
    from benchmarks import pretraining
    from experiments.mae_fashion_mnist import mae_fashion_mnist
    from experiments.simclr_fashion_mnist import simclr_fashion_mnist

    if model in pretraining.WORKLOADS:
        return *pretraining.workload(model), (32, 32, 3), pretraining.BATCH
    experiment = simclr_fashion_mnist() if model == "small-simclr" else mae_fashion_mnist()
    return experiment.method, experiment.optimizer, (28, 28, 1), experiment.batch_size


if __name__ == "__main__":
    main()
