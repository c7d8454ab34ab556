"""The curves of a run: every metric of metrics.jsonl, loss first."""

from __future__ import annotations

import math

from jssl.report import chart
from jssl.report.markup import Markup, tag
from jssl.report.results_table import TRAINED, rows_of
from jssl.report.run_files import Run

GROUPS = ("Loss", "Evaluations during training", "Inside the method", "Optimizer and speed")


def draw(run: Run) -> Markup | None:
    """All charts, a small heading for each group; None where the run has no metrics."""
    if not run.metrics:
        return None
    groups: dict[str, list[str]] = {group: [] for group in GROUPS}
    for name in run.metrics:
        groups[group_of(name)].append(name)
    parts = []
    for group, names in groups.items():
        if names:
            parts.append(tag("h3", group))
            parts.append(tag("div", *(_chart(run, name) for name in names), class_="charts"))
    return tag("div", *parts)


def group_of(metric: str) -> str:
    """The heading under which a metric stands."""
    first = metric.split("/")[0]
    if first == "loss":
        return GROUPS[0]
    if first == "eval":
        return GROUPS[1]
    if first in ("time", "learning_rate", "gradient", "gradients", "optimizer", "memory"):
        return GROUPS[3]
    return GROUPS[2]


def _chart(run: Run, metric: str) -> Markup:
    return chart.draw(metric, run.metrics[metric], _baselines(run, metric), wide=metric == "loss")


def _baselines(run: Run, metric: str) -> list[chart.Line]:
    """What the final results say of other features under the same evaluation."""
    if not metric.startswith("eval/"):
        return []
    row = rows_of(run).get(metric.removeprefix("eval/"), {})
    return [
        chart.Line(name, value) for name, value in row.items() if name != TRAINED and math.isfinite(value)
    ]
