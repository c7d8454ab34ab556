"""Seconds from the start of a process to the end of its first training step: jssl against PyTorch.

    python -m benchmarks.startup --peer-python PYTHON_WITH_LIGHTLY_TIMM_AND_TRANSFORMERS

The workloads and the sides are those of `pretraining.py`: imports, 10,000 images, the networks' first weights
and the first batch are all in the time. The peer loads without worker processes, which starts fastest. "cold"
begins with no compiled program kept, "warm" with those that the cold start kept. The sides take turns; the
first round, which brings the libraries' files into memory, is not counted.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time

from benchmarks import sides
from benchmarks.pretraining import FIRST, WORKLOADS


def seconds(python: str, module: str, *options: str) -> float:
    """From the start of a side's process to its answer."""
    began = time.perf_counter()
    side = sides.Side(python, module, *options)
    side.ask(FIRST)
    taken = time.perf_counter() - began
    side.close()
    return taken


def one_round(name: str, peer: str | None) -> dict[str, float]:
    """Every kind of start once."""
    with tempfile.TemporaryDirectory() as kept:
        os.environ["JAX_COMPILATION_CACHE_DIR"] = kept
        own = [seconds(sys.executable, "pretraining", "--answer", name) for _ in range(2)]
    found = dict(zip(("jssl, cold", "jssl, warm"), own, strict=True))
    if peer:
        found["peer"] = seconds(peer, "pretraining_torch", name, "0")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peer-python", help="the Python of the peers; without it jssl is alone")
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=WORKLOADS)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print(f"medians of {arguments.rounds} rounds, seconds; theirs / ours in brackets")
    for name in arguments.workloads:
        rounds = [one_round(name, arguments.peer_python) for _ in range(1 + arguments.rounds)][1:]
        found = {kind: statistics.median(each[kind] for each in rounds) for kind in rounds[0]}
        peer = found.get("peer", float("nan"))
        cells = [f"{kind} {taken:6.2f} ({peer / taken:.2f})" for kind, taken in found.items()]
        print(f"{name:8} " + "   ".join(cells), flush=True)


if __name__ == "__main__":
    main()
