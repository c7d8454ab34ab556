"""What the training loop costs: jssl's loop against a bare loop over the same compiled step and data.

    python -m benchmarks.loop

The bare loop takes a batch, puts it on the device, calls the step, and waits at the end. jssl also logs to
metrics.jsonl and TensorBoard, shows progress, reads ahead and keeps checkpoints, as in the experiment.
Both run in turn over the same batches, and the medians of the rounds are compared.
"""

import argparse
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path

from jssl import platform


def main() -> None:
    """Print seconds a step of both loops, round by round, and their ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--steps", type=int, default=200, help="steps of each loop in a round; one checkpoint in 200"
    )
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    platform.configure()
    rounds = list(measure(arguments.steps, arguments.rounds))
    bare, ours = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = statistics.median(mine / theirs for theirs, mine in rounds)
    print(f"bare loop {1e3 * bare:.1f} ms/step, jssl's loop {1e3 * ours:.1f} ms/step, ratio {ratio:.3f}")


def measure(steps: int, rounds: int):
    """Yield (bare, ours) seconds a step."""
    import jax

    from experiments.simclr_fashion_mnist import simclr_fashion_mnist
    from jssl import data, train

    experiment = simclr_fashion_mnist()
    mesh = train.device_mesh(jax.devices()[:1])
    sharding = train.batch_sharding(mesh)
    make = train.make_step(experiment.method, experiment.optimizer)
    step = jax.jit(make, donate_argnums=0)

    def batches() -> data.Loader:
        return data.loader(experiment.data.train, batch_size=experiment.batch_size, seed=0)

    example = train.put_batch(next(batches()), sharding)
    initial = jax.jit(
        lambda key: train.init_state(experiment.method, experiment.optimizer, key, example),
        out_shardings=train.replicated(mesh),
    )

    def fresh():
        return jax.block_until_ready(initial(jax.random.key(0)))

    def bare() -> float:
        state, feed = fresh(), batches()
        next(feed)
        started = time.perf_counter()
        for _ in range(steps):
            batch = train.put_batch(next(feed), sharding)
            state, metrics = step(state, batch)
        jax.block_until_ready((state, metrics))
        return (time.perf_counter() - started) / steps

    def ours() -> float:
        state, feed = fresh(), train.Feed(batches(), sharding)
        next(feed)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder)
            with (
                closing(train.Checkpoints(path / "checkpoints", name="loop")) as checkpoints,
                train.Logs(path) as logs,
                train.ProgressReport(num_steps=steps, start=0, batch_size=experiment.batch_size) as progress,
            ):
                started = time.perf_counter()
                state = train.fit(
                    step,
                    state,
                    feed,
                    train.RunBooks(logs, checkpoints, (), experiment.log_every),
                    start=0,
                    num_steps=steps,
                    save_every=experiment.save_every,
                    progress=progress,
                )
                jax.block_until_ready(state)
                return (time.perf_counter() - started) / steps

    step(fresh(), example)
    for number in range(rounds):
        pair = bare(), ours()
        print(f"round {number + 1}: bare {1e3 * pair[0]:.1f} ms, jssl {1e3 * pair[1]:.1f} ms")
        yield pair


if __name__ == "__main__":
    main()
