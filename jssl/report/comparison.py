"""The page of several runs: their evaluations in one table, their curves over each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jssl.report import chart, results_table, run_files, series, wording
from jssl.report.curves import GROUPS, group_of
from jssl.report.markup import Markup, join, tag
from jssl.report.page import head, write
from jssl.report.palette import class_colour
from jssl.report.run_files import Run

WIDTH = chart.NARROW


def draw_sweep(folder: str | Path, names: Sequence[str]) -> Path:
    """Draw the page of a sweep, report.html, from the folders of its runs.

    Args:
        folder: of the sweep.
        names: of the runs' folders in it.

    Returns:
        Path of the page.

    Raises:
        ValueError: one of them is not a run folder.
    """
    folder = Path(folder)
    runs = {name: run_files.read(folder / name) for name in names}
    title = folder.resolve().name
    first = next(iter(runs.values())).config
    body = join(
        tag(
            "header",
            tag("p", f"jssl · {len(runs)} runs side by side", class_="eyebrow"),
            tag("h1", title),
            tag("p", first["description"], class_="description") if first.get("description") else None,
        ),
        tag(
            "main",
            tag("section", tag("h2", "Evaluations"), _table(runs)),
            tag("section", tag("h2", "Curves"), _legend(runs), *_curves(runs)),
        ),
        tag("footer", f"Drawn by jssl from the folders in {title}/"),
    )
    text = "<!doctype html>\n" + tag("html", head(title, []), tag("body", body), lang="en")
    return write(folder / "report.html", text)


def _table(runs: dict[str, Run]) -> Markup:
    """A row for each run, linked to its page; the best of a column is bold."""
    rows = {name: results_table.rows_of(run) for name, run in runs.items()}
    measures = list(dict.fromkeys(measure for found in rows.values() for measure in found))
    best = {measure: _best(measure, rows) for measure in measures}
    heads = [tag("th", "run", scope="col"), *(tag("th", wording.title(x), scope="col") for x in measures)]
    body = []
    for index, (name, found) in enumerate(rows.items()):
        cells = [tag("th", _mark(index), tag("a", name, href=f"{name}/report.html"), scope="row")]
        for measure in measures:
            number = _trained(found, measure)
            text = wording.value(measure, number)
            bold = number is not None and number == best[measure]
            cells.append(tag("td", tag("b", text) if bold else text))
        body.append(tag("tr", *cells))
    table = tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *body), class_="results")
    return tag("div", table, class_="scroll")


def _trained(rows: dict[str, results_table.Row], measure: str) -> float | None:
    return rows.get(measure, {}).get(results_table.TRAINED)


def _best(measure: str, rows: dict[str, dict[str, results_table.Row]]) -> float | None:
    """The best value; None where no direction is better."""
    sign = wording.direction(measure)
    numbers = [number for found in rows.values() if (number := _trained(found, measure)) is not None]
    finite = [number for number in numbers if math.isfinite(number)]
    return max(finite, key=lambda number: sign * number) if sign and len(finite) > 1 else None


def _legend(runs: dict[str, Run]) -> Markup:
    items = (tag("span", _mark(index), name) for index, name in enumerate(runs))
    return tag("p", *items, class_="note names")


def _mark(index: int) -> Markup:
    return tag("i", class_="mark", style=f"background:{class_colour(index)}")


def _curves(runs: dict[str, Run]) -> list[Markup]:
    """Every metric of any run, in the groups of a single run's page."""
    metrics = list(dict.fromkeys(metric for run in runs.values() for metric in run.metrics))
    parts = []
    for group in GROUPS:
        names = [metric for metric in metrics if group_of(metric) == group]
        if names:
            charts = (_chart(metric, runs) for metric in names)
            parts.append(join(tag("h3", group), tag("div", *charts, class_="charts")))
    return parts


def _chart(metric: str, runs: dict[str, Run]) -> Markup:
    curves = {index: run.metrics[metric] for index, run in enumerate(runs.values()) if metric in run.metrics}
    first = min(float(curve.steps[0]) for curve in curves.values())
    last = max(float(curve.steps[-1]) for curve in curves.values())
    everything = np.concatenate([curve.values for curve in curves.values()])
    scale = chart.linear_scale(everything, wording.is_share(metric))
    lines = []
    for index, curve in curves.items():
        kept = series.decimate(curve.values, WIDTH // 2)
        values = curve.values
        if len(values) > 60:
            values = series.smooth(values, max(3, len(values) // 40))
        across = chart.horizontal(curve.steps[kept], first, last, WIDTH)
        d = chart.path(across, scale.place(values[kept]))
        lines.append(tag("path", d=d, class_="mean", style=f"stroke:{class_colour(index)}"))
    drawing = tag(
        "svg",
        chart.steps_axis(first, last, WIDTH),
        *(chart.gridline(number, scale, WIDTH) for number in scale.ticks),
        *lines,
        viewBox=f"0 0 {WIDTH} {chart.HEIGHT}",
        role="img",
        aria_label=f"{wording.title(metric)} of {len(curves)} runs",
    )
    name = tag("span", wording.title(metric.removeprefix("eval/")), class_="name")
    return tag("figure", tag("figcaption", name), tag("div", drawing, class_="plot"), class_="chart")
