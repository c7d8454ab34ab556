"""A character GPT of nanoGPT's small recipe, start to end: jssl against nanoGPT's model and loop in PyTorch.

    python -m benchmarks.char_gpt --text input.txt --peer-python PYTHON_WITH_TORCH

Both sides read the same text, train the same network (4 blocks, 128 wide, 4 heads, 64 characters, no biases,
tied embeddings; GELU in its tanh form here, exact there) for as many steps of 12 rows by AdamW with the same
schedule, and then give the loss over the whole validation split, the text's last tenth, in windows that don't
overlap. The seconds are those from the start of reading the text to the end of training, of jssl with its
compilation, or with reading what an earlier run has compiled. The sides take turns on the same
cores, each in a process of its own.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np

BATCH, BLOCK, DEPTH, HEADS, WIDTH = 12, 64, 4, 4, 128
LEARNING_RATE, WARMUP = 1e-3, 100


def split(path: Path) -> tuple[np.ndarray, np.ndarray, int]:
    """Numbers of characters to train on and to evaluate on, and how many characters there are."""
    text = path.read_text()
    ids = {character: index for index, character in enumerate(sorted(set(text)))}
    numbers = np.array([ids[character] for character in text], np.uint16)
    end = int(0.9 * len(numbers))
    return numbers[:end], numbers[end:], len(ids)


def main() -> None:
    """Print seconds and losses of each round, and the ratio of the medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--text", required=True, help="the file that both read")
    parser.add_argument("--steps", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=3, help="each with a seed of its own")
    parser.add_argument("--peer-python", help="the Python with torch; without it jssl is alone")
    parser.add_argument("--seed", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.seed is not None:
        print(*train(Path(arguments.text), arguments.steps, arguments.seed))
        return
    seconds: dict[str, list[float]] = {}
    for seed in range(arguments.rounds):
        options = [arguments.text, str(arguments.steps), str(seed)]
        own = [sys.executable, "-m", "benchmarks.char_gpt", "--text", options[0], "--steps", options[1]]
        commands = {"jssl": [*own, "--seed", options[2]]}
        if arguments.peer_python:
            commands["nanoGPT"] = [arguments.peer_python, "-m", "benchmarks.char_gpt_torch", *options]
        for name, command in commands.items():
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            took, loss = map(float, done.stdout.split()[-2:])
            seconds.setdefault(name, []).append(took)
            print(f"seed {seed}  {name:8} {took:6.1f} s   validation loss {loss:.4f}", flush=True)
    for name, own_seconds in seconds.items():
        ratio = median(own_seconds) / median(seconds["jssl"])
        print(f"{name:8} median {median(own_seconds):6.1f} s, {ratio:.2f} times jssl's")


def train(path: Path, steps: int, seed: int) -> tuple[float, float]:
    """jssl's side: seconds of training, and the validation loss."""
    from jssl import platform

    platform.configure()
    import jax

    from experiments.clm_shakespeare import clm_shakespeare
    from jssl import data
    from jssl.program import Program
    from jssl.scoring import make_score
    from jssl.train import Feed, batch_sharding, device_mesh, replicated

    started = time.perf_counter()
    experiment = clm_shakespeare(str(path), seed=seed, steps=steps)
    program = Program(experiment, device_mesh(jax.devices()[:1]))
    step, state = program.compile_step(), program.initial_state()
    loader = data.loader(experiment.data.train, batch_size=experiment.batch_size, seed=seed)
    feed = Feed(loader, batch_sharding(program.mesh))
    for _ in range(steps):
        state, _ = step(state, next(feed))
    jax.block_until_ready(state)
    seconds = time.perf_counter() - started
    score = make_score(experiment.method, spread=batch_sharding(program.mesh), whole=replicated(program.mesh))
    return seconds, score(state, jax.random.key(0), experiment.data)["loss"]


if __name__ == "__main__":
    main()
