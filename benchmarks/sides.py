"""The two sides of a comparison: libraries in processes of their own that take turns on the same cores.

Nothing but the standard library is imported here: the peer's Python reads this file too.
"""

import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent


class Side:
    """One library. Its process answers a line with figures whenever it is asked, and idles in between."""

    def __init__(self, python: str, module: str, *options: str) -> None:
        self._command = [python, "-m", f"benchmarks.{module}", *options]
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={name: value for name, value in os.environ.items() if name != "XLA_FLAGS"},
        )

    def ask(self, question: object) -> list[float]:
        """The answer's figures."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{question}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f"{' '.join(self._command)} ended; its message stands above")
        return [float(word) for word in answer.split()]

    def close(self) -> None:
        """Let the process end."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


class Once:
    """One library, in a new process for every question, so that none holds memory while others answer."""

    def __init__(self, python: str, module: str, *options: str) -> None:
        self._command = (python, module, *options)

    def ask(self, question: object) -> list[float]:
        """The answer's figures."""
        side = Side(*self._command)
        found = side.ask(question)
        side.close()
        return found


def answer(figures: Callable[[str], Iterable[float]]) -> None:
    """Be a side: answer every line of the input with figures. What libraries print goes to the errors."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        print(*figures(line.strip()), file=out, flush=True)


def in_turn(sides: Mapping[str, Side | Once], question: object, rounds: int) -> dict[str, list[float]]:
    """The medians of each side's figures over rounds in which every side answers once."""
    found: dict[str, list[Sequence[float]]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            found[name].append(side.ask(question))
    return {
        name: [statistics.median(column) for column in zip(*rows, strict=True)]
        for name, rows in found.items()
    }
