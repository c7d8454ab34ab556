"""How metrics' names, numbers and durations are said to a reader."""

from __future__ import annotations

import math

_SHARES = ("accuracy", "f1", "recall", "precision", "purity")
_HIGHER = (*_SHARES, "auc", "auroc", "map", "r2", "nmi", "ari", "correlation", "spearman", "pearson")
_LOWER = ("error", "loss", "mse", "mae", "rmse", "perplexity", "byte")


def _last_word(metric: str) -> str:
    return metric.rsplit("/", 1)[-1].rsplit("_", 1)[-1].lower()


def is_share(metric: str) -> bool:
    """Whether a metric lies in [0, 1] and is said in percent."""
    return _last_word(metric) in _SHARES


def direction(metric: str) -> int:
    """1 where higher is better, -1 where lower is, 0 where neither can be said."""
    word = _last_word(metric)
    return 1 if word in _HIGHER else -1 if word in _LOWER else 0


def title(metric: str, *, between: str = " · ") -> str:
    """A metric's name for a reader: "knn/macro_f1" is "kNN · macro f1"."""
    parts = (part.replace("_", " ") for part in metric.split("/"))
    return between.join("kNN" if part == "knn" else part for part in parts)


def value(metric: str, number: float | None, *, unit: bool = True) -> str:
    """A number as its metric is said: a share in percent, anything else in four digits."""
    if number is None:
        return "–"
    if not math.isfinite(number):
        return "NaN" if math.isnan(number) else "∞" if number > 0 else "−∞"
    if is_share(metric):
        return f"{100 * number:.1f}{' %' if unit else ''}"
    return short(number)


def difference(metric: str, number: float) -> str:
    """A signed difference; of shares in percentage points."""
    scaled = 100 * number if is_share(metric) else number
    text = f"{abs(scaled):.1f}" if is_share(metric) else short(abs(scaled))
    return f"{'−' if scaled < 0 else '+'}{text}"


def short(number: float) -> str:
    """A finite number in four digits, the exponent only where it helps."""
    if number == int(number) and abs(number) < 1e6:
        return f"{int(number):,}"
    if abs(number) >= 1e6 or abs(number) < 1e-3:
        return f"{number:.2e}".replace("e-0", "e-").replace("e+0", "e")
    return f"{number:.4g}" if abs(number) < 1e4 else f"{number:,.0f}"


def tick(number: float, *, percent: bool = False) -> str:
    """A number on an axis: 12k, 0.05, 1e-6, 80%."""
    if percent:
        return f"{100 * number:.6g}%"
    size = abs(number)
    if size >= 1e6:
        return f"{number / 1e6:g}M"
    if size >= 1e4:
        return f"{number / 1e3:g}k"
    return f"{number:g}".replace("e-0", "e-")


def duration(seconds: float) -> str:
    """A length of time in its two largest units."""
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
