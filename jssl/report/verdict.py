"""The top of the page: what came out, in a sentence, a few numbers and bars."""

from __future__ import annotations

import numpy as np

from jssl.report import results_table, wording
from jssl.report.markup import Markup, tag
from jssl.report.run_files import Run, Series


def sentence(run: Run) -> str:
    """The verdict in words: of the results, else of the run so far."""
    rows = results_table.rows_of(run)
    metric = results_table.headline(rows)
    if metric is None:
        return _so_far(run)
    row = rows[metric]
    order = [column for column in results_table.columns_of(run) if column in row and column != "trained"]
    others = ", ".join(f"{column} {wording.value(metric, row[column], unit=False)}" for column in order)
    text = f"{wording.title(metric, between=' ')} {wording.value(metric, row['trained'])}"
    return f"{text}; {others}. {_against(metric, row)}".rstrip() if others else f"{text}."


def _against(metric: str, row: results_table.Row) -> str:
    found = results_table.compare(metric, row)
    if found is None:
        return ""
    points = " points" if wording.is_share(metric) else ""
    size = wording.difference(metric, abs(found.difference)).lstrip("+") + points
    if found.better is None:
        return f"No better than {found.baseline}."
    verb = "ahead of" if found.better else "behind"
    return f"That is {size} {verb} the best baseline, {found.baseline}."


def _so_far(run: Run) -> str:
    if not run.metrics:
        return "Nothing is logged yet."
    last = max(int(series.steps[-1]) for series in run.metrics.values())
    state = "Trained, and not evaluated" if run.results else "No final results yet"
    parts = [f"{state}; logged up to step {last:,}"]
    for name, series in run.metrics.items():
        if name == "loss" or name.endswith("knn/accuracy"):
            parts.append(f"{wording.title(name.removeprefix('eval/'), between=' ')} {_last(name, series)}")
    return ", ".join(parts) + "."


def _last(metric: str, series: Series) -> str:
    return wording.value(metric, float(series.values[-1]))


def bars(run: Run) -> Markup | None:
    """The headline's columns as bars; of a share from 0 to 1, else none."""
    rows = results_table.rows_of(run)
    metric = results_table.headline(rows)
    if metric is None or not wording.is_share(metric) or len(rows[metric]) < 2:
        return None
    row = rows[metric]
    lines = []
    for column in (name for name in results_table.columns_of(run) if name in row):
        width = 100 * float(np.nan_to_num(row[column]))
        bar = tag("span", tag("i", style=f"width:{max(0.0, min(width, 100.0)):.1f}%"), class_="track")
        class_ = "bar trained" if column == results_table.TRAINED else "bar"
        lines.append(
            tag("div", tag("span", column), bar, tag("b", wording.value(metric, row[column])), class_=class_)
        )
    return tag("figure", tag("figcaption", wording.title(metric)), *lines, class_="bars")


def facts(run: Run) -> Markup | None:
    """Small numbers of the run: steps, loss, time, speed, device."""
    found = [(name, text) for name, text in _facts(run) if text]
    if not found:
        return None
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", text)) for name, text in found), class_="facts")


def _facts(run: Run) -> list[tuple[str, str]]:
    seconds = run.results.get("seconds") or {}
    devices = run.config.get("devices") or {}
    loss, speed = run.metrics.get("loss"), run.metrics.get("time/examples_per_second")
    per_second = float(np.nanmedian(speed.values)) if speed and np.isfinite(speed.values).any() else None
    return [
        ("steps", f"{int(loss.steps[-1]):,}" if loss else ""),
        ("last loss", _last("loss", loss) if loss else ""),
        *((name, wording.duration(float(value))) for name, value in seconds.items()),
        ("examples a second", f"{per_second:,.0f}" if per_second is not None else ""),
        ("devices", _devices(devices)),
        ("started", str(run.config.get("started") or "")[:16].replace("T", " ")),
    ]


def _devices(devices: dict[str, object]) -> str:
    kind = devices.get("kind") or devices.get("platform")
    return f"{devices.get('count', 1)} × {kind}" if kind else ""
