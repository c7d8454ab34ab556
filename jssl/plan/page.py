"""The page of several plans: what each would cost, and whether it fits."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jssl.plan.make import Plan
from jssl.plan.show import HEADS, row
from jssl.report import chart, series, wording
from jssl.report.markup import Markup, join, tag
from jssl.report.page import head, write
from jssl.report.palette import class_colour

LABEL_WIDTH, LABEL_HEIGHT = 44, 10


class Dot(NamedTuple):
    """A plan in the chart: position, and the height at which its label stands."""

    plan: Plan
    x: float
    y: float
    label: float


def draw_plans(plans: Sequence[Plan], page: str | Path) -> Path:
    """Draw plans of one experiment beside each other into a page, one HTML file.

    Args:
        plans: of different devices, meshes, batch sizes or other arguments.
        page: path of the file.
    """
    name = plans[0].experiment
    kinds = list(dict.fromkeys(plan.devices for plan in plans))
    colours = {devices: class_colour(index) for index, devices in enumerate(kinds)}
    parts = [tag("section", tag("h2", "Plans"), _table(plans, colours))]
    costly = [plan for plan in plans if plan.cost is not None]
    if len(costly) > 1:
        legend = (
            tag("span", tag("i", class_="mark", style=f"background:{colour}"), devices)
            for devices, colour in colours.items()
        )
        parts.append(
            tag(
                "section",
                tag("h2", "Costs"),
                tag("p", *legend, class_="note names"),
                tag("p", "Beside a dot stands the batch size. A ring does not fit.", class_="note"),
                tag("div", _chart(costly, colours), class_="charts"),
            )
        )
    parts.append(tag("section", tag("h2", "Memory of each device"), _memory(plans, colours)))
    header = tag("header", tag("p", f"jssl · {len(plans)} plans", class_="eyebrow"), tag("h1", name))
    body = tag("body", header, tag("main", *parts), tag("footer", "Drawn by jssl plan"))
    text = "<!doctype html>\n" + tag("html", head(f"{name}, planned", []), body, lang="en")
    return write(Path(page), text)


def _table(plans: Sequence[Plan], colours: dict[str, str]) -> Markup:
    heads = (tag("th", name, scope="col") for name in HEADS)
    body = []
    for plan in plans:
        first, *rest = row(plan)
        mark = tag("i", class_="mark", style=f"background:{colours[plan.devices]}")
        body.append(tag("tr", tag("th", mark, first, scope="row"), *(tag("td", cell) for cell in rest)))
    table = tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *body), class_="results")
    return tag("div", table, class_="scroll")


def _chart(plans: Sequence[Plan], colours: dict[str, str]) -> Markup:
    """Chip-hours against hours of the run; drawn narrow for phones too."""
    name = tag("span", "Chip-hours against hours of the run", class_="name")
    widths = {"plot for-narrow": chart.NARROW, "plot for-wide": chart.WIDE}
    plots = (tag("div", _drawing(plans, colours, width), class_=kind) for kind, width in widths.items())
    return tag("figure", tag("figcaption", name), *plots, class_="chart wide")


def _drawing(plans: Sequence[Plan], colours: dict[str, str], width: int) -> Markup:
    hours = np.array([plan.cost.hours for plan in plans if plan.cost])
    chip_hours = np.array([plan.cost.chip_hours for plan in plans if plan.cost])
    across, upwards = _logarithmic(hours), _logarithmic(chip_hours)

    def place(values: Sequence[float]) -> np.ndarray:
        return chart.horizontal(np.log10(values), across.low, across.high, width)

    ticks = (
        tag("text", f"{wording.tick(tick)} h", x=f"{x:.1f}", y=chart.HEIGHT - 7, text_anchor="middle")
        for tick, x in zip(across.ticks, place(across.ticks), strict=True)
    )
    dots = _labelled(plans, place(hours.tolist()), upwards.place(chip_hours))
    return tag(
        "svg",
        *(chart.gridline(tick, upwards, width) for tick in upwards.ticks),
        *ticks,
        *(_draw(dot, colours[dot.plan.devices], width) for dot in dots),
        viewBox=f"0 0 {width} {chart.HEIGHT}",
        role="img",
        aria_label=f"chip-hours against hours of {len(plans)} plans",
    )


def _logarithmic(values: np.ndarray) -> chart.Scale:
    low, high = series.padded_range(np.log10(values))
    return chart.Scale(np.log10, low, high, series.log_ticks(low, high), percent=False)


def _labelled(plans: Sequence[Plan], across: np.ndarray, down: np.ndarray) -> list[Dot]:
    """The dots, their labels moved down where they would cover another's."""
    dots: list[Dot] = []
    for plan, x, y in sorted(zip(plans, across, down, strict=True), key=lambda found: found[2]):
        beside = [dot.label for dot in dots if abs(dot.x - x) < LABEL_WIDTH]
        dots.append(Dot(plan, float(x), float(y), max(float(y), *(z + LABEL_HEIGHT for z in beside), 0.0)))
    return dots


def _draw(dot: Dot, colour: str, width: int) -> Markup:
    left = dot.x > width - chart.RIGHT - LABEL_WIDTH
    circle = tag(
        "circle",
        cx=f"{dot.x:.1f}",
        cy=f"{dot.y:.1f}",
        r=4,
        fill=colour if dot.plan.fits else "none",
        stroke=colour,
    )
    label = tag(
        "text",
        f"{dot.plan.batch_size:,}",
        x=f"{dot.x + (-8 if left else 8):.1f}",
        y=f"{dot.label:.1f}",
        dy="0.32em",
        text_anchor="end" if left else "start",
    )
    return join(circle, label)


def _memory(plans: Sequence[Plan], colours: dict[str, str]) -> Markup:
    """A bar for each plan, as long as its share of the device's memory, or of the largest plan's."""
    most = max(plan.needed for plan in plans)
    bars = []
    for plan in plans:
        share = min(1.0, plan.needed / (plan.limit or most))
        limit = f" of {plan.limit / 1e9:,.1f}" if plan.limit else ""
        style = f"width:{share:.1%};background:{colours[plan.devices] if plan.fits else 'var(--wrong)'}"
        bars.append(
            tag(
                "div",
                tag("span", f"{plan.devices}, {plan.batch_size:,}"),
                tag("span", tag("i", style=style), class_="track"),
                tag("b", f"{plan.needed / 1e9:,.1f}{limit} GB"),
                class_="bar plan",
            )
        )
    return tag("div", join(*bars), class_="bars")
