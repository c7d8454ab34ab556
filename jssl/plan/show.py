"""A plan as a reader sees it."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from jssl.plan.make import EFFICIENCY, Plan


def show(plan: Plan, console: Console | None = None) -> None:
    """Print it."""
    console = console or Console()
    axes = ", ".join(f"{name}={size}" for name, size in plan.mesh.items())
    hosts = f"{plan.hosts} host{'s' if plan.hosts > 1 else ''}"
    console.print(
        f"[bold]{plan.experiment}[/] on {plan.devices} ({axes}; {hosts}), batch {plan.batch_size:,}, "
        f"{plan.steps:,} steps; compiled in {plan.compilation:.0f} s"
    )
    console.print(_memory(plan))
    console.print(_collectives(plan))
    for line in _costs(plan):
        console.print(line)
    for warning in plan.warnings:
        console.print(f"[yellow]warning:[/] {warning}")


HEADS = (
    "devices",
    "mesh",
    "batch",
    "memory, MB",
    "GFLOP",
    "sent, MB",
    "bound",
    "ms a step",
    "hours",
    "chip-hours",
)


def show_all(plans: Sequence[Plan], console: Console | None = None) -> None:
    """Print a row for each."""
    table = Table(*HEADS, title=plans[0].experiment, title_justify="left")
    for column in table.columns[2:]:
        column.justify = "right"
    for plan in plans:
        table.add_row(*row(plan))
    (console or Console()).print(table)


def row(plan: Plan) -> list[str]:
    """A plan in the columns of `HEADS`; memory, work and what is sent are of each device in a step."""
    cost = plan.cost
    costs = ["", "", "", ""]
    if cost is not None:
        costs = [cost.bound, f"{1e3 * cost.estimate:,.1f}", f"{cost.hours:,.1f}", f"{cost.chip_hours:,.0f}"]
    return [
        plan.devices,
        ", ".join(f"{name}={size}" for name, size in plan.mesh.items() if size > 1),
        f"{plan.batch_size:,}",
        f"{plan.needed / 1e6:,.0f}" + ("" if plan.fits else " (too many)"),
        f"{plan.flops / 1e9:,.1f}",
        f"{sum(traffic.sent for traffic in plan.collectives) / 1e6:,.1f}",
        *costs,
    ]


def _memory(plan: Plan) -> Table:
    table = Table("memory of each device", "MB", title_justify="left")
    table.columns[1].justify = "right"
    for kind, size in plan.memory.items():
        table.add_row(kind, f"{size / 1e6:,.1f}")
    limit = f" of {plan.limit / 1e6:,.0f}" if plan.limit else ""
    table.add_section()
    table.add_row("together", f"{plan.needed / 1e6:,.1f}{limit}")
    return table


def _collectives(plan: Plan) -> Table:
    table = Table("between devices", "kind", "axis", "number", "MB", "theory")
    for index in (3, 4):
        table.columns[index].justify = "right"
    for x in plan.collectives:
        table.add_row(x.purpose, x.kind, x.axes, f"{x.number:,}", f"{x.bytes / 1e6:,.2f}", x.theory)
    return table


def _costs(plan: Plan) -> list[str]:
    lines = [
        f"Each device, a step: {plan.flops / 1e9:,.1f} GFLOP, {plan.bytes / 1e9:,.2f} GB of memory moved."
    ]
    cost = plan.cost
    if cost is None:
        return [
            *lines,
            "Nothing is published of this device: no bound, no times. Name a --topology for them.",
        ]
    parts = ", ".join(
        f"{name} {1e3 * getattr(cost, name):,.2f} ms" for name in ("compute", "memory", "network")
    )
    return [
        *lines,
        f"At the chip's published figures: {parts}. Bound by [bold]{cost.bound}[/].",
        f"A step takes {1e3 * cost.best:,.1f} ms at best, if all three overlap, and "
        f"{1e3 * cost.estimate:,.1f} ms if {EFFICIENCY:.0%} of those figures are reached: {cost.hours:,.1f} "
        f"hours, {cost.chip_hours:,.0f} chip-hours, without compilation, evaluations and checkpoints.",
        f"Each host must read {cost.fed:,.0f} examples a second.",
    ]
