"""Training steps of small language models, tokens a second: jssl against Hugging Face's Trainer.

    python -m benchmarks.text --peer-python PYTHON_WITH_TRANSFORMERS_AND_ACCELERATE

Both sides shuffle and batch 10,000 rows of 128 tokens, 32 at a time, and train 4 blocks, 256 wide, 4 heads,
8,192 tied token embeddings, in float32 by AdamW with gradients of length 1 at most and a linear schedule:

    mlm      BERT without next sentences, 15 % of the tokens hidden anew each time, dropout 0.1
    clm      GPT-2, each token from those before it, without dropout

The peer is BertForMaskedLM and GPT2LMHeadModel in Trainer with DataCollatorForLanguageModeling, all as they
come. The sides take turns, some seconds each, on the same cores; each starts with steps that nobody counts.
The second figure counts the CPU's seconds instead of the clock's: what other processes take on the same
machine changes it less. It is per core, so that a side that leaves cores idle is not the worse for it.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks import sides

WORKLOADS = ("mlm", "clm")
BATCH, ROWS, LENGTH = 32, 10_000, 128
VOCAB, WIDTH, DEPTH, HEADS, DROPOUT, RATE = 8_192, 256, 4, 4, 0.1, 0.15
PAD, UNK, CLS, SEP, MASK = range(5)
LEARNING_RATE, WEIGHT_DECAY = 1e-4, 0.01
UNCOUNTED, COUNTED = 2, 6


def main() -> None:
    """Print both speeds and their ratios for each workload."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=WORKLOADS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peer-python", help="the Python of the peer; without it jssl is alone")
    parser.add_argument("--answer", choices=WORKLOADS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.answer:
        sides.answer(speeds(arguments.answer))
    for name in () if arguments.answer else arguments.workloads:
        print(compare(name, arguments.peer_python, arguments.rounds), flush=True)


def compare(name: str, peer: str | None, rounds: int) -> str:
    """One workload's line."""
    both = {"jssl": sides.Side(sys.executable, "text", "--answer", name)}
    if peer:
        both["transformers"] = sides.Side(peer, "text_hf", name)
    found = sides.in_turn(both, "go", rounds)
    for side in both.values():
        side.close()
    line = name
    for which, (speed, per_core) in found.items():
        line += f"   {which}: {speed:6.0f} tokens/s, {per_core:6.0f} a core's second"
    if peer:
        ratios = [own / other for own, other in zip(found["jssl"], found["transformers"], strict=True)]
        line += "   ratios {:.2f}, {:.2f}".format(*ratios)
    return line


def tokens() -> np.ndarray:
    """The rows of both sides."""
    rows = np.random.default_rng(0).integers(5, VOCAB, (ROWS, LENGTH), np.int32)
    rows[:, 0], rows[:, -1] = CLS, SEP
    return rows


class Clock:
    """Tokens a second by the clock, and by the CPU's time, of the steps since it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def speeds(self, steps: int = COUNTED) -> tuple[float, float]:
        """Both, after so many steps."""
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        number = steps * BATCH * LENGTH
        return number / wall, number / cpu


def speeds(name: str) -> Callable[[str], Iterator[float]]:
    """jssl's side: from the loader on, each time it is asked."""
    from jssl import platform

    platform.configure()
    import jax

    from jssl import data, train
    from jssl.experiment import Experiment
    from jssl.program import Program

    source = data.arrays(tokens=tokens())
    method, optimizer = workload(name)
    program = Program(
        Experiment(
            name=name,
            data=data.DataSet(source, None),
            method=method,
            optimizer=optimizer,
            batch_size=BATCH,
            steps=1,
        ),
        train.device_mesh(jax.devices()[:1]),
    )
    step, state = program.compile_step(), program.initial_state()
    feed = train.Feed(data.loader(source, batch_size=BATCH, seed=0), train.batch_sharding(program.mesh))

    def go(question: str) -> Iterator[float]:
        nonlocal state
        clock = Clock()
        for number in range(UNCOUNTED + COUNTED):
            if number == UNCOUNTED:
                jax.block_until_ready(state)
                clock = Clock()
            state, _ = step(state, next(feed))
        jax.block_until_ready(state)
        yield from clock.speeds()

    return go


def workload(name: str) -> tuple[Any, Any]:
    """Method and optimizer."""
    from functools import partial

    import optax

    from jssl import methods, nn, ops, pretext, train

    schedule = ops.linear(LEARNING_RATE, 0.0, 1_000_000)
    adamw = optax.adamw(schedule, weight_decay=WEIGHT_DECAY, mask=train.weights)
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), adamw)
    network = partial(nn.text_transformer, VOCAB, WIDTH, DEPTH, HEADS, max_length=LENGTH)
    if name == "clm":
        return methods.clm(encoder=network(**nn.GPT2)), optimizer
    mask = partial(
        pretext.text.mask_tokens,
        rate=RATE,
        mask_id=MASK,
        vocab_size=VOCAB,
        special=(PAD, UNK, CLS, SEP, MASK),
    )
    method = methods.mlm(encoder=network(dropout=DROPOUT, **nn.BERT), head=nn.masked_head(), mask=mask)
    return method, optimizer


if __name__ == "__main__":
    main()
