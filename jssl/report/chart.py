"""One metric as an inline SVG, on a linear and, where it helps, a logarithmic scale."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jssl.report import series, wording
from jssl.report.markup import Markup, data_script, join, tag
from jssl.report.run_files import Series

NARROW, WIDE, HEIGHT = 344, 1000, 180
LEFT, RIGHT, TOP, BOTTOM = 46, 18, 14, 24


class Line(NamedTuple):
    """A level to compare with, drawn across the chart."""

    name: str
    value: float


class Scale(NamedTuple):
    """A vertical scale: `transform` of a value lies between `low` and `high`, from the bottom to the top."""

    transform: Callable[[np.ndarray], np.ndarray]
    low: float
    high: float
    ticks: list[float]
    percent: bool

    def height(self, value: float) -> float:
        """Vertical position of one value."""
        return float(self.place(np.array([value]))[0])

    def place(self, values: np.ndarray) -> np.ndarray:
        """Vertical positions in the drawing."""
        share = (self.transform(values) - self.low) / (self.high - self.low)
        return TOP + (1 - share) * (HEIGHT - TOP - BOTTOM)


def draw(metric: str, curve: Series, lines: list[Line], *, wide: bool = False) -> Markup:
    """A figure: heading with the last value, then the curve; a wide one is drawn narrow for phones too."""
    drawn = np.concatenate([curve.values, [line.value for line in lines]])
    log = _log_scale(curve.values, drawn, percent=False) is not None
    lost = curve.steps[~np.isfinite(curve.values)]
    plots = [_plot(metric, curve, lines, NARROW, "plot for-narrow" if wide else "plot")]
    if wide:
        plots.append(_plot(metric, curve, lines, WIDE, "plot for-wide"))
    return tag(
        "figure",
        _heading(metric, curve, toggle=log),
        *plots,
        _lost_note(lost),
        class_="chart wide" if wide else "chart",
    )


def _plot(metric: str, curve: Series, lines: list[Line], width: int, class_: str) -> Markup:
    """The drawing, and the points that the script needs to answer the pointer."""
    kept = series.decimate(curve.values, min(width // 2, 320))
    steps, values = curve.steps[kept], curve.values[kept]
    noisy = len(curve.values) > 60
    mean = series.smooth(curve.values, max(3, len(curve.values) // 40))[kept] if noisy else None
    first, last = float(curve.steps[0]), float(curve.steps[-1])
    across = horizontal(steps, first, last, width)
    drawn = np.concatenate([values, [line.value for line in lines]])
    percent = wording.is_share(metric)
    linear, log = linear_scale(drawn, percent), _log_scale(curve.values, drawn, percent)
    drawing = tag(
        "svg",
        steps_axis(first, last, width),
        _lost_marks(curve.steps[~np.isfinite(curve.values)], first, last, width),
        _layer("linear", linear, across, values, mean, lines, width),
        None if log is None else _layer("log", log, across, values, mean, lines, width),
        _cursor(),
        viewBox=f"0 0 {width} {HEIGHT}",
        role="img",
        aria_label=f"{wording.title(metric)} at {len(curve.steps)} steps",
    )
    points = {
        "steps": steps.tolist(),
        "values": [float(f"{value:.5g}") for value in values],
        "percent": percent,
        "x": _rounded(across),
        "linear": _rounded(linear.place(values)),
        "log": None if log is None else _rounded(log.place(values)),
    }
    return tag("div", drawing, data_script(points), class_=class_)


def _cursor() -> Markup:
    """What the script moves under the pointer."""
    guide = tag("line", class_="guide", y1=TOP, y2=HEIGHT - BOTTOM)
    return tag("g", guide, tag("circle", r=3.5), tag("text", y=TOP - 3), class_="cursor")


def _heading(metric: str, curve: Series, *, toggle: bool) -> Markup:
    finite = curve.values[np.isfinite(curve.values)]
    last = wording.value(metric, float(finite[-1])) if finite.size else "NaN"
    button = tag("button", "log", type="button", class_="toggle", aria_pressed="false") if toggle else None
    return tag(
        "figcaption",
        tag("span", wording.title(metric.removeprefix("eval/")), class_="name"),
        button,
        tag("span", last, class_="now"),
    )


def horizontal(steps: np.ndarray, first: float, last: float, width: int) -> np.ndarray:
    """Horizontal positions in the drawing."""
    return LEFT + (steps - first) / max(last - first, 1) * (width - LEFT - RIGHT)


def linear_scale(values: np.ndarray, percent: bool) -> Scale:
    """A scale that holds all values."""
    low, high = series.padded_range(values)
    ticks = series.ticks(low, high, 4) if np.isfinite(values).any() else []
    return Scale(lambda value: value, low, high, ticks, percent)


def _log_scale(curve: np.ndarray, drawn: np.ndarray, percent: bool) -> Scale | None:
    """A logarithmic scale where the curve is positive and spans more than a factor of five."""
    finite = curve[np.isfinite(curve)]
    if not finite.size or finite.min() <= 0 or finite.max() < 5 * finite.min() or (drawn <= 0).any():
        return None
    low, high = series.padded_range(np.log10(drawn))
    return Scale(np.log10, low, high, series.log_ticks(low, high), percent)


def _layer(
    name: str,
    scale: Scale,
    across: np.ndarray,
    values: np.ndarray,
    mean: np.ndarray | None,
    lines: list[Line],
    width: int,
) -> Markup:
    raw = path(across, scale.place(values))
    few = len(values) <= 40
    return tag(
        "g",
        *(gridline(number, scale, width) for number in scale.ticks),
        *_levels(lines, scale, width),
        tag("path", d=raw, class_="raw" if mean is not None else "mean"),
        tag("path", d=dots(across, scale.place(values)), class_="dots") if few else None,
        None if mean is None else tag("path", d=path(across, scale.place(mean)), class_="mean"),
        class_=f"layer {name}",
    )


def gridline(number: float, scale: Scale, width: int) -> Markup:
    """A level of the scale with its number."""
    height = f"{scale.height(number):.1f}"
    return join(
        tag("line", x1=LEFT, x2=width - RIGHT, y1=height, y2=height, class_="grid"),
        tag(
            "text",
            wording.tick(number, percent=scale.percent),
            x=LEFT - 6,
            y=height,
            dy="0.32em",
            text_anchor="end",
        ),
    )


def _levels(lines: list[Line], scale: Scale, width: int) -> list[Markup]:
    """Levels from the top down, their names kept apart where the levels are close."""
    drawn, free = [], float(TOP)
    for line in sorted(lines, key=lambda item: -item.value):
        height = scale.height(line.value)
        baseline = max(height - 4, free + 10)
        free = baseline
        drawn += [
            tag("line", x1=LEFT, x2=width - RIGHT, y1=f"{height:.1f}", y2=f"{height:.1f}", class_="level"),
            tag("text", line.name, x=width - RIGHT, y=f"{baseline:.1f}", text_anchor="end", class_="level"),
        ]
    return drawn


def steps_axis(first: float, last: float, width: int) -> Markup:
    """Round numbers of steps below the drawing."""
    numbers = series.ticks(first, last, 4) if last > first else [first]
    numbers = [number for number in numbers if number.is_integer()]
    places = horizontal(np.array(numbers), first, last, width)
    labels = [
        tag("text", wording.tick(number), x=f"{place:.1f}", y=HEIGHT - 7, text_anchor="middle")
        for number, place in zip(numbers, places, strict=True)
    ]
    return tag("g", *labels, class_="steps")


def _lost_marks(lost: np.ndarray, first: float, last: float, width: int) -> Markup | None:
    if not lost.size:
        return None
    places = np.unique(horizontal(lost, first, last, width).round(1))
    d = "".join(f"M{place:g} {HEIGHT - BOTTOM - 5}v5" for place in places)
    return tag("path", d=d, class_="lost")


def _lost_note(lost: np.ndarray) -> Markup | None:
    if not lost.size:
        return None
    times = "once" if lost.size == 1 else f"{lost.size} times"
    return tag("p", f"Not finite {times}, first at step {int(lost[0]):,}.", class_="note lost-note")


def path(across: np.ndarray, down: np.ndarray) -> str:
    """A polyline as SVG path data, broken where a value is not finite."""
    parts, pen_up = [], True
    for x, y in zip(_rounded(across), _rounded(down), strict=True):
        if y != y:
            pen_up = True
            continue
        parts.append(f"{'M' if pen_up else 'L'}{x:g} {y:g}")
        pen_up = False
    return "".join(parts)


def dots(across: np.ndarray, down: np.ndarray) -> str:
    """Points as path data: round line caps make a dot of each segment of no length."""
    pairs = zip(_rounded(across), _rounded(down), strict=True)
    return "".join(f"M{x:g} {y:g}h0" for x, y in pairs if y == y)


def _rounded(values: np.ndarray) -> list[float]:
    return np.round(values, 1).tolist()
