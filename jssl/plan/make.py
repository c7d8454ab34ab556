"""A plan: what the compiled training step needs of a device, what bounds it, and what the run will cost."""

import math
import time
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any, NamedTuple

import jax
from jax.sharding import Mesh

from jssl.plan.chips import Chip
from jssl.plan.collectives import (
    EMBEDDINGS,
    GRADIENTS,
    OTHER,
    PARAMETERS,
    ROWS,
    SCALARS,
    STATISTICS,
    Collective,
    find_collectives,
)
from jssl.plan.hlo import Module
from jssl.plan.work import Work, count
from jssl.program import Program
from jssl.spec import Experiment

EFFICIENCY = 0.5
"""The share of the chip's published figures that the estimate assumes."""

NOTABLE = 2**20
"""Bytes in a step: a collective that no theory asks for is named from here on."""

WASTE = 0.1
"""The share of the arguments' memory that is padding, from which on the plan warns."""


class Traffic(NamedTuple):
    """The collectives of one purpose, kind and axis.

    Attributes:
        purpose: "gradients", "batch statistics", "embeddings", "parameters", "scalars", "rows" or "other".
        kind: "all-reduce", ...
        axes: of the mesh.
        number: instructions, those in loops as often as they run.
        bytes: of their results on one device, in a step.
        sent: bytes that each device sends in a step.
        theory: what is asked for, as a formula with its value.
    """

    purpose: str
    kind: str
    axes: str
    number: int
    bytes: int
    sent: float
    theory: str


class Cost(NamedTuple):
    """Time and its bound, from the chip's published figures.

    Attributes:
        compute, memory, network: seconds a step, each at the published peak.
        input: seconds a step that the hosts need to read a batch; 0 where it isn't known how fast they read.
        bound: the largest of them.
        best: seconds a step if all of the device's three overlap, at the peak.
        estimate: seconds a step, if `EFFICIENCY` of the peak is reached, and the batches are there.
        hours: of the run, by the estimate.
        chip_hours: the same times the chips.
        fed: examples a second that each host must read, by the estimate.
    """

    compute: float
    memory: float
    network: float
    input: float
    bound: str
    best: float
    estimate: float
    hours: float
    chip_hours: float
    fed: float


class Plan(NamedTuple):
    """What is known of a run before it starts.

    Attributes:
        experiment: its name.
        devices: what they are, "v5e:16x16" or "8 x cpu".
        mesh: sizes of its axes by name.
        hosts: machines that the devices are in.
        batch_size, steps: of the run.
        memory: bytes of each device by kind; their sum is `needed`.
        needed: bytes of each device.
        limit: bytes that a device has; None where it isn't known.
        flops, bytes: of each device in a step, see `Work`.
        collectives: by purpose.
        cost: None where nothing is published of the device.
        compilation: seconds that it took here.
        warnings: in words.
    """

    experiment: str
    devices: str
    mesh: dict[str, int]
    hosts: int
    batch_size: int
    steps: int
    memory: dict[str, int]
    needed: int
    limit: float | None
    flops: float
    bytes: float
    collectives: list[Traffic]
    cost: Cost | None
    compilation: float
    warnings: list[str]

    @property
    def fits(self) -> bool:
        """Whether a device has the memory, as far as it is known."""
        return self.limit is None or self.needed <= self.limit


def make_plan(
    experiment: Experiment,
    mesh: Mesh,
    devices: str,
    chip: Chip | None = None,
    *,
    input_rate: float | None = None,
) -> Plan:
    """Compile the training step for a mesh, and read what it needs.

    Args:
        experiment: what is to be run.
        mesh: of devices that are here, or of `plan.topology`.
        devices: what they are, in words.
        chip: figures of the device, for the limit of memory and for times.
        input_rate: examples a second that a host can read.

    Raises:
        ValueError: the compiler says that the program doesn't fit.
    """
    program = Program(experiment, mesh)
    started = time.monotonic()
    try:
        compiled = program.compile_step()
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        raise ValueError(f"The step does not fit on {devices}: {_first_lines(str(error))}") from error
    compilation = time.monotonic() - started
    memory = _memory(program, compiled.memory_analysis())
    sizes = dict(mesh.shape)
    module = Module(compiled.as_text() or "")
    collectives = _by_purpose(find_collectives(module, sizes), program)
    flops, bytes_ = count(module)
    hosts = len({device.process_index for device in mesh.devices.flat})
    cost = None
    if chip is not None:
        sent = sum(traffic.sent for traffic in collectives)
        reading = experiment.batch_size / hosts / input_rate if input_rate else 0.0
        cost = _cost(chip, experiment, Work(flops, bytes_), sent, reading, chips=mesh.size, hosts=hosts)
    plan = Plan(
        experiment=experiment.name,
        devices=devices,
        mesh=sizes,
        hosts=hosts,
        batch_size=experiment.batch_size,
        steps=experiment.steps,
        memory=memory,
        needed=sum(memory.values()),
        limit=chip.memory if chip else None,
        flops=flops,
        bytes=bytes_,
        collectives=collectives,
        cost=cost,
        compilation=compilation,
        warnings=[],
    )
    return plan._replace(warnings=list(_warnings(plan)))


def _memory(program: Program, analysis: Any) -> dict[str, int]:
    """Bytes on each device by kind."""
    state = program.state_shapes()
    held = {
        "parameters": _held(state.params),
        "optimizer": _held(state.opt_state),
        "method's state": _held(state.method_state),
        "batch": _held(program.batch_shapes()),
    }
    counted = sum(held.values())
    return held | {
        "padding": max(0, analysis.argument_size_in_bytes - counted),
        "results": max(0, analysis.output_size_in_bytes - analysis.alias_size_in_bytes),
        "intermediate": analysis.temp_size_in_bytes,
        "program": analysis.generated_code_size_in_bytes,
    }


def _held(shapes: Any) -> int:
    """Bytes of a tree of arrays on one device."""
    return sum(math.prod(x.sharding.shard_shape(x.shape)) * x.dtype.itemsize for x in jax.tree.leaves(shapes))


def _by_purpose(found: Iterable[Collective], program: Program) -> list[Traffic]:
    """Summed up, the largest first."""
    has_none = hasattr(program.state_shapes().method_state, "stats") and not _statistics(program)

    def key(x: Collective) -> tuple[str, str, str]:
        # Scales and biases of norms have gradients of the same look.
        purpose = GRADIENTS if has_none and x.purpose == STATISTICS else x.purpose
        return purpose, x.kind, x.axes

    summed = []
    for (purpose, kind, axes), group in groupby(sorted(found, key=key), key):
        members = list(group)
        total = sum(x.times * x.bytes for x in members)
        number, sent = sum(x.times for x in members), sum(x.sent for x in members)
        summed.append(Traffic(purpose, kind, axes, number, total, sent, _theory(purpose, program, total)))
    return sorted(summed, key=lambda traffic: -traffic.sent)


def _theory(purpose: str, program: Program, found: int) -> str:
    """What the purpose asks for, as a formula with its value."""
    state = program.state_shapes()
    num = sum(math.prod(x.shape) for x in jax.tree.leaves(state.params))
    if purpose == GRADIENTS:
        return f"{_megabytes(2 * num)} to {_megabytes(4 * num)}: 2 to 4 B a parameter"
    if purpose == PARAMETERS:
        return f"{_megabytes(2 * num)} to {_megabytes(4 * num)} a pass: 2 to 4 B a parameter"
    if purpose == STATISTICS:
        size = sum(math.prod(x.shape) * x.dtype.itemsize for x in _statistics(program))
        return f"{_megabytes(2 * size)} a pass: means and variances, and their gradients"
    if purpose == EMBEDDINGS:
        size = program.experiment.batch_size
        return f"{found / size:,.0f} B for each of {size:,} examples"
    return {SCALARS: "losses, counts, norms", ROWS: "examples that others are paired with"}.get(purpose, "")


def _statistics(program: Program) -> list[jax.ShapeDtypeStruct]:
    """The batch statistics in the method's state."""
    return jax.tree.leaves(getattr(program.state_shapes().method_state, "stats", None))


def _cost(
    chip: Chip, experiment: Experiment, work: Work, sent: float, reading: float, *, chips: int, hosts: int
) -> Cost:
    """Times from the published figures."""
    parts = {
        "compute": work.flops / chip.flops,
        "memory": work.bytes / chip.bandwidth,
        "network": sent / chip.network,
    }
    best = max(parts.values())
    estimate = max(best / EFFICIENCY, reading)
    hours = experiment.steps * estimate / 3600
    return Cost(
        **parts,
        input=reading,
        bound="input" if estimate == reading else max(parts, key=lambda name: parts[name]),
        best=best,
        estimate=estimate,
        hours=hours,
        chip_hours=hours * chips,
        fed=experiment.batch_size / estimate / hosts,
    )


def _warnings(plan: Plan) -> Iterable[str]:
    """What a reader should know before paying."""
    if plan.limit is not None and not plan.fits:
        yield (
            f"does not fit: {_megabytes(plan.needed)} of {_megabytes(plan.limit)} on each chip. Try a "
            "smaller --batch-size, more chips, or --mesh with a larger fsdp."
        )
    if plan.cost is not None and plan.cost.bound == "input":
        yield (
            f"the hosts read a batch in {1e3 * plan.cost.input:,.1f} ms, and the devices take "
            f"{1e3 * plan.cost.best / EFFICIENCY:,.1f} ms for it: they wait. Use smaller images on disk, "
            "hosts with more cores, or fewer chips."
        )
    for traffic in plan.collectives:
        needless = traffic.purpose == OTHER and traffic.kind in (
            "all-gather",
            "all-to-all",
            "collective-permute",
        )
        if needless and traffic.bytes > NOTABLE:
            yield (
                f"{traffic.number} x {traffic.kind} over {traffic.axes}, {_megabytes(traffic.bytes)} a step, "
                "that neither gradients nor statistics nor embeddings ask for: an array is cut where it is "
                "needed whole, or along another dimension."
            )
    arguments = sum(plan.memory[kind] for kind in ("parameters", "optimizer", "method's state", "batch"))
    if plan.memory["padding"] > WASTE * arguments:
        yield (
            f"{_megabytes(plan.memory['padding'])} of memory are padding beside {_megabytes(arguments)} of "
            "arrays: TPUs hold the last two dimensions in tiles of 8 x 128."
        )


def _first_lines(text: str) -> str:
    return " ".join(text.split("\n")[0].split())


def _megabytes(size: int | float) -> str:
    return f"{size / 1e6:,.1f} MB"


def as_json(plan: Plan) -> Mapping[str, Any]:
    """The plan as numbers and words."""
    cost = plan.cost._asdict() if plan.cost else None
    traffic = [traffic._asdict() for traffic in plan.collectives]
    return plan._asdict() | {"cost": cost, "collectives": traffic}
