"""The page of several plans: what each would cost, and whether it fits."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jssl.plan.make import Plan
from jssl.plan.show import HEADS, row
from jssl.report import chart, series, wording
from jssl.report.markup import Markup, join, tag
from jssl.report.page import head, write
from jssl.report.palette import class_colour

WIDTH = 520


class Axis(NamedTuple):
    """A logarithmic axis that holds all of its values."""

    low: float
    high: float
    ticks: list[float]

    @classmethod
    def over(cls, values: Sequence[float]) -> "Axis":
        """With a little air on both sides."""
        low, high = series.padded_range(np.log10(values))
        return cls(low, high, series.log_ticks(low, high))

    def across(self, value: float) -> float:
        """Horizontal position of a value."""
        return float(chart.horizontal(np.log10([value]), self.low, self.high, WIDTH)[0])

    def scale(self) -> chart.Scale:
        """The same as a vertical one."""
        return chart.Scale(np.log10, self.low, self.high, self.ticks, percent=False)


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
        charts = [
            _chart("chip-hours against hours of the run", costly, colours, lambda cost: cost.chip_hours),
            _chart("examples that each host must read a second", costly, colours, lambda cost: cost.fed),
        ]
        legend = (
            tag("span", tag("i", class_="mark", style=f"background:{colour}"), devices)
            for devices, colour in colours.items()
        )
        parts.append(
            tag(
                "section",
                tag("h2", "Costs"),
                tag("p", *legend, class_="note names"),
                tag("p", "A number is the batch size; a ring does not fit.", class_="note"),
                tag("div", *charts, class_="charts"),
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


def _chart(title: str, plans: Sequence[Plan], colours: dict[str, str], of: Callable) -> Markup:
    """A dot for each plan: hours of the run, and a figure of its cost."""
    across = Axis.over([plan.cost.hours for plan in plans if plan.cost])
    upwards = Axis.over([of(plan.cost) for plan in plans])
    scale = upwards.scale()
    dots = []
    for plan in plans:
        assert plan.cost is not None
        x, y = across.across(plan.cost.hours), scale.height(of(plan.cost))
        colour = colours[plan.devices]
        left = x > 0.8 * WIDTH
        dots += [
            tag(
                "circle",
                cx=f"{x:.1f}",
                cy=f"{y:.1f}",
                r=4,
                fill=colour if plan.fits else "none",
                stroke=colour,
            ),
            tag(
                "text",
                f"{plan.batch_size:,}",
                x=f"{x + (-8 if left else 8):.1f}",
                y=f"{y:.1f}",
                dy="0.32em",
                text_anchor="end" if left else "start",
            ),
        ]
    hours = (
        tag(
            "text",
            f"{wording.tick(tick)} h",
            x=f"{across.across(tick):.1f}",
            y=chart.HEIGHT - 7,
            text_anchor="middle",
        )
        for tick in across.ticks
    )
    drawing = tag(
        "svg",
        *(chart.gridline(tick, scale, WIDTH) for tick in scale.ticks),
        *hours,
        *dots,
        viewBox=f"0 0 {WIDTH} {chart.HEIGHT}",
        role="img",
        aria_label=f"{title}, of {len(plans)} plans",
    )
    name = tag("span", title, class_="name")
    return tag("figure", tag("figcaption", name), tag("div", drawing, class_="plot"), class_="chart")


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
