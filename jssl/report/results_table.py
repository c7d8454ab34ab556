"""The evaluations beside their baselines, and the sentence that sums them up."""

from __future__ import annotations

import math
from typing import NamedTuple

from jssl.report import wording
from jssl.report.markup import Markup, tag
from jssl.report.run_files import Run

TRAINED = "trained"
Row = dict[str, float]


class Comparison(NamedTuple):
    """A trained encoder's value against the best of its baselines."""

    baseline: str
    difference: float
    better: bool | None


def rows_of(run: Run) -> dict[str, Row]:
    """Numbers by evaluation and column; what is no number is left out."""
    rows = run.results.get("rows")
    if not isinstance(rows, dict):
        return {}
    return {str(metric): _numbers(row) for metric, row in rows.items() if isinstance(row, dict)}


def _numbers(row: dict[str, object]) -> Row:
    return {
        str(column): float(value)
        for column, value in row.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def columns_of(run: Run) -> list[str]:
    """Columns in the runner's order, then any that only a row names."""
    named = [str(column) for column in run.results.get("columns") or []]
    return list(dict.fromkeys([*named, *(column for row in rows_of(run).values() for column in row)]))


def best_column(metric: str, row: Row) -> str | None:
    """The column with the best value; None where no direction is better or nothing is compared."""
    finite = {column: value for column, value in row.items() if math.isfinite(value)}
    sign = wording.direction(metric)
    if sign == 0 or len(finite) < 2:
        return None
    return max(finite, key=lambda column: sign * finite[column])


def compare(metric: str, row: Row) -> Comparison | None:
    """The trained value less the best baseline's; None where either is absent or no direction is better."""
    others = {column: value for column, value in row.items() if column != TRAINED and math.isfinite(value)}
    sign = wording.direction(metric)
    if not others or sign == 0 or not math.isfinite(row.get(TRAINED, math.nan)):
        return None
    baseline = max(others, key=lambda column: sign * others[column])
    difference = row[TRAINED] - others[baseline]
    return Comparison(baseline, difference, None if difference == 0 else sign * difference > 0)


_QUOTED = (
    ("knn", "accuracy"),
    ("linear", "accuracy"),
    ("knn", ""),
    ("", "/entities/f1"),
    ("", "accuracy"),
)
"""Beginnings and ends of names, the first that is there counts."""


def headline(rows: dict[str, Row]) -> str | None:
    """The evaluation that the title quotes: kNN accuracy, a linear probe's, F1 of entities, or the first."""
    trained = [metric for metric, row in rows.items() if TRAINED in row]
    for start, end in _QUOTED:
        for metric in trained:
            if metric.startswith(start) and metric.endswith(end):
                return metric
    return trained[0] if trained else None


def draw(run: Run) -> Markup | None:
    """The table; the best of a row is bold, the last column tells the distance to the best baseline."""
    rows = rows_of(run)
    if not rows:
        return None
    columns = columns_of(run)
    compared = any(compare(metric, row) for metric, row in rows.items())
    heads = [tag("th", "evaluation", scope="col")]
    heads += [tag("th", column, scope="col", class_=_class(column)) for column in columns]
    heads += [tag("th", "to the best baseline", scope="col")] if compared else []
    body = [_row(metric, row, columns, compared=compared) for metric, row in rows.items()]
    table = tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *body), class_="results")
    return tag("div", table, class_="scroll")


def _class(column: str) -> str | None:
    return "trained" if column == TRAINED else None


def _row(metric: str, row: Row, columns: list[str], *, compared: bool) -> Markup:
    best = best_column(metric, row)
    cells = [tag("th", wording.title(metric), scope="row")]
    for column in columns:
        text = wording.value(metric, row.get(column))
        cells.append(tag("td", tag("b", text) if column == best else text, class_=_class(column)))
    if compared:
        cells.append(_difference_cell(metric, compare(metric, row)))
    return tag("tr", *cells)


def _difference_cell(metric: str, found: Comparison | None) -> Markup:
    if found is None:
        return tag("td", "–", class_="difference")
    side = "" if found.better is None else " better" if found.better else " worse"
    name = tag("small", f" {found.baseline}")
    return tag("td", wording.difference(metric, found.difference), name, class_="difference" + side)
