"""The collectives of a compiled program, read from its text: kind, bytes, axes of the mesh, how often."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from jssl.plan.hlo import Module

KINDS = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")

GRADIENTS, STATISTICS, EMBEDDINGS = "gradients", "batch statistics", "embeddings"
PARAMETERS, SCALARS, ROWS, OTHER = "parameters", "scalars", "rows", "other"


class Collective(NamedTuple):
    """One instruction.

    Attributes:
        kind: one of `KINDS`.
        axes: of the mesh, along which devices take part together: "data", "fsdp", "data, fsdp".
        group: how many take part together.
        bytes: of the result on one device.
        rank: dimensions of the array, or of the largest of those that go together.
        times: in a step; more than one inside of a loop.
        origin: where in the program it comes from, as JAX names it; else what it is done to.
    """

    kind: str
    axes: str
    group: int
    bytes: int
    rank: int
    times: int
    origin: str

    @property
    def purpose(self) -> str:
        """What it is for, as far as its kind and its origin tell: "gradients", ..."""
        # XLA may write a gather as the sum of slices, each in its place among zeros.
        gather = self.kind == "all-gather" or "dynamic-update-slice" in self.origin
        if gather and self.axes == "fsdp":
            return PARAMETERS
        if "candidates" in self.origin or (gather and self.kind == "all-reduce"):
            return EMBEDDINGS
        if self.kind == "collective-permute" and "_roll" in self.origin:
            return ROWS
        if self.kind not in ("all-reduce", "reduce-scatter"):
            return OTHER
        if self.rank == 0 and "transpose(" not in self.origin:
            return SCALARS
        if self.rank < 2 and re.search(r"norm[^/]*/reduce", self.origin, re.IGNORECASE):
            return STATISTICS
        unnamed = self.origin.startswith("%") and self.rank > 1
        return GRADIENTS if unnamed or "transpose(" in self.origin else OTHER

    @property
    def sent(self) -> float:
        """Bytes that each device sends in a step, by the ring algorithm."""
        others = (self.group - 1) / self.group
        passes = {"all-reduce": 2 * others, "all-gather": others, "reduce-scatter": self.group - 1}
        return float(
            self.times * self.bytes * passes.get(self.kind, others if self.kind == "all-to-all" else 1.0)
        )


def find_collectives(program: Module, mesh: Mapping[str, int]) -> list[Collective]:
    """All collectives of a compiled program.

    Args:
        program: read from its text.
        mesh: sizes of the mesh's axes by name, in the mesh's order.
    """
    found: list[Collective] = []
    chains: set[tuple[str, ...]] = set()
    for computation, times in program.times.items():
        for instruction in program.computations[computation]:
            kind, line = instruction.opcode.removesuffix("-start"), instruction.text
            if kind not in KINDS:
                continue
            # One that runs beside other work is written into each of the fusions that it runs beside.
            chain = re.search(r'channel_id=(\d+).*chain_id="(\d+)"', line)
            if chain is not None and chain.groups() in chains:
                continue
            if chain is not None:
                chains.add(chain.groups())
            groups = _groups(line, math.prod(mesh.values()))
            named = re.search(r'op_name="([^"]*)"', line)
            sizes = [array.bytes for array in instruction.results]
            found.append(
                Collective(
                    kind=kind,
                    axes=_axes(groups, mesh),
                    group=len(groups[0]),
                    # What begins a collective gives its operands too, then its result.
                    bytes=max(sizes) if instruction.opcode != kind else sum(sizes),
                    rank=max(len(array.shape) for array in instruction.results),
                    times=times,
                    origin=named[1] if named else " ".join(f"%{name}" for name in instruction.operands),
                )
            )
    return found


def _groups(line: str, num_devices: int) -> list[tuple[int, ...]]:
    """Positions in the mesh of the devices that take part together."""
    pairs = re.search(r"source_target_pairs=\{(.*?)\}\}", line)
    if pairs:
        return _chains([(int(a), int(b)) for a, b in re.findall(r"\{(\d+),(\d+)", pairs[0])])
    text = re.search(r"replica_groups=(mesh\[.*?\](?:, device_ids=\(.*?\)\))? *\{.*?\}|\S+)", line)
    if text is None:
        return [tuple(range(num_devices))]
    return _parse_groups(text[1], num_devices)


def _parse_groups(text: str, num_devices: int) -> list[tuple[int, ...]]:
    """The three ways in which XLA writes groups: lists, an iota, axes of a mesh of its own."""
    named = re.match(r"mesh\[(.*?)\](?:, device_ids=\(\[([\d,]+)\]T\(([\d,]+)\)\))?\s*\{(.*?)\}", text)
    if named:
        devices = np.arange(num_devices)
        if named[2]:
            shape, axes = ([int(n) for n in named[i].split(",")] for i in (2, 3))
            devices = devices.reshape(shape).transpose(axes)
        sizes = {name: int(size) for name, size in re.findall(r"'(\w+)'=(\d+)", named[1])}
        chosen = re.findall(r"'(\w+)'", named[4])
        order = [list(sizes).index(name) for name in chosen]
        rest = [axis for axis in range(len(sizes)) if axis not in order]
        ids = devices.reshape(tuple(sizes.values())).transpose(*rest, *order)
        return [tuple(row) for row in ids.reshape(-1, math.prod(sizes[name] for name in chosen)).tolist()]
    iota = re.match(r"\[([\d,]+)\]<=\[([\d,]+)\](?:T\(([\d,]+)\))?", text)
    if iota:
        shape, dimensions = ([int(n) for n in iota[i].split(",")] for i in (1, 2))
        order = [int(n) for n in iota[3].split(",")] if iota[3] else list(range(len(dimensions)))
        ids = np.arange(num_devices).reshape(dimensions).transpose(order).reshape(shape)
        return [tuple(row) for row in ids.tolist()]
    lists = re.findall(r"\{([\d,]+)\}", text)
    return [tuple(map(int, row.split(","))) for row in lists] or [tuple(range(num_devices))]


def _chains(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, ...]]:
    """The rings that sending along the pairs makes."""
    following: dict[int, int] = dict(pairs)
    rings, seen = [], set()
    for start in following:
        ring = []
        while start not in seen and start in following:
            seen.add(start)
            ring.append(start)
            start = following[start]
        if ring:
            rings.append(tuple(sorted(ring)))
    return rings


def _axes(groups: list[tuple[int, ...]], mesh: Mapping[str, int]) -> str:
    """The axes of the mesh along which the members of a group differ, or "part of" them."""
    positions = np.unravel_index(np.array(groups[0]), tuple(mesh.values()))
    differ = [name for name, where in zip(mesh, positions, strict=True) if len(set(where.tolist())) > 1]
    whole = math.prod(mesh[name] for name in differ) == len(groups[0])
    return ("" if whole else "part of ") + ", ".join(differ)
