"""A compiled program read from its text: instructions by computation, and how often each computation runs."""

import math
import re
from collections.abc import Iterator
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

SIZES = {"pred": 1, "s8": 1, "u8": 1, "f16": 2, "bf16": 2, "s16": 2, "u16": 2, "f32": 4, "s32": 4, "u32": 4}
SIZES |= {"f64": 8, "s64": 8, "u64": 8, "f8e4m3fn": 1, "f8e5m2": 1}
"""Bytes of an element; tokens and the like have none."""


class Array(NamedTuple):
    """Of an instruction's result.

    Attributes:
        dtype: as XLA writes it, "bf16".
        shape: lengths.
        near: whether it lies in the memory on the chip itself, next to the units that compute.
    """

    dtype: str
    shape: tuple[int, ...]
    near: bool

    @property
    def bytes(self) -> int:
        return SIZES.get(self.dtype, 0) * math.prod(self.shape)


class Instruction(NamedTuple):
    """One line of a computation.

    Attributes:
        name: within the program.
        opcode: as XLA writes it, "all-reduce-start".
        results: its arrays.
        operands: names of the instructions whose results it takes.
        text: the whole line.
        root: whether it is its computation's result.
    """

    name: str
    opcode: str
    results: tuple[Array, ...]
    operands: tuple[str, ...]
    text: str
    root: bool

    def called(self, attribute: str) -> list[str]:
        """The computations that an attribute names: "calls", "body", "branch_computations"."""
        match = re.search(rf"\b{attribute}=(?:\{{([^}}]*)\}}|%?([\w.\-]+))", self.text)
        return re.findall(r"[\w.\-]+", match[1] or match[2]) if match else []


LINE = re.compile(
    r"^\s+(?P<root>ROOT )?%?(?P<name>[\w.\-]+) = (?P<shape>.*?) (?P<opcode>[a-z][\w\-]*)\((?P<rest>.*)$"
)
HEAD = re.compile(r"^(?P<entry>ENTRY )?%?(?P<name>[\w.\-]+) .*\{$")
ARRAY = re.compile(r"(?P<dtype>[a-z]\w*)\[(?P<shape>[\d,]*)\](?P<layout>\{[^}]*\})?")


class Module:
    """An optimized HLO module.

    Args:
        text: as `compiled.as_text()` gives it.
    """

    def __init__(self, text: str) -> None:
        self.computations: dict[str, list[Instruction]] = {}
        self.entry = ""
        here: list[Instruction] = []
        for line in text.splitlines():
            head = HEAD.match(line)
            if head:
                here = self.computations.setdefault(head["name"], [])
                self.entry = head["name"] if head["entry"] else self.entry
            elif line.startswith("  "):
                match = LINE.match(line)
                if match:
                    here.append(_instruction(match, line))

    @cached_property
    def named(self) -> dict[str, Instruction]:
        """All instructions by their names, which are unique."""
        return {x.name: x for computation in self.computations.values() for x in computation}

    @cached_property
    def times(self) -> dict[str, int]:
        """How often each computation runs in a step, those inside of fusions too.

        A loop runs as often as XLA or its condition's constant says, and a branch once.
        """
        found: dict[str, int] = {}

        def visit(computation: str, times: int) -> None:
            found[computation] = found.get(computation, 0) + times
            for instruction in self.computations.get(computation, ()):
                for callee, each in self._callees(instruction):
                    visit(callee, times * each)

        visit(self.entry, 1)
        return found

    def _callees(self, instruction: Instruction) -> Iterator[tuple[str, int]]:
        if instruction.opcode == "while":
            known = re.search(r'"known_trip_count":\{"n":"(\d+)"', instruction.text)
            (condition,), (body,) = instruction.called("condition"), instruction.called("body")
            yield body, int(known[1]) if known else self._limit(condition)
        elif instruction.opcode in ("call", "async-start", "fusion"):
            for callee in instruction.called("to_apply") + instruction.called("calls"):
                yield callee, 1
        elif instruction.opcode == "conditional":
            for name in ("branch_computations", "true_computation", "false_computation"):
                for callee in instruction.called(name):
                    yield callee, 1

    def _limit(self, condition: str) -> int:
        """The largest constant that the condition of a loop compares with."""
        constants = [
            int(match[1])
            for instruction in self.computations.get(condition, ())
            if (match := re.search(r"s32\[\]\S* constant\((\d+)\)", instruction.text))
        ]
        return max(constants, default=1)

    @cached_property
    def fused(self) -> set[str]:
        """The computations inside of fusions, whose instructions pass their results on without memory."""
        found: set[str] = set()

        def visit(computation: str) -> None:
            for instruction in self.computations.get(computation, ()):
                if instruction.opcode == "fusion" or computation in found:
                    for callee in instruction.called("calls"):
                        found.add(callee)
                        visit(callee)

        for computation in self.times:
            visit(computation)
        return found

    def instructions(self) -> Iterator[tuple[str, Instruction]]:
        """Every instruction that runs, with its computation's name."""
        for computation in self.times:
            for instruction in self.computations.get(computation, ()):
                yield computation, instruction


def arrays(shape: str) -> tuple[Array, ...]:
    """The arrays of a shape, which may be a tuple."""
    return tuple(
        Array(
            match["dtype"],
            tuple(int(n) for n in match["shape"].split(",") if n),
            near=re.search(r"S\([1-9]", match["layout"] or "") is not None,
        )
        for match in ARRAY.finditer(re.sub(r"/\*.*?\*/", "", shape))
    )


def _instruction(match: re.Match[str], line: str) -> Instruction:
    closed = list(accumulate((letter == "(") - (letter == ")") for letter in match["rest"]))
    operands = tuple(re.findall(r"%([\w.\-]+)", match["rest"][: closed.index(-1)]))
    return Instruction(
        match["name"], match["opcode"], arrays(match["shape"]), operands, line, bool(match["root"])
    )
