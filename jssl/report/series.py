"""Arithmetic of one curve: fewer points, a smooth line, ranges and ticks."""

from __future__ import annotations

import itertools
import math

import numpy as np


def decimate(values: np.ndarray, buckets: int) -> np.ndarray:
    """Indices that keep a curve's look: the smallest and the largest of each bucket, and both ends."""
    count = len(values)
    if count <= 2 * buckets:
        return np.arange(count)
    edges = np.linspace(0, count, buckets + 1).astype(int)
    kept = {0, count - 1}
    for start, stop in itertools.pairwise(edges.tolist()):
        part = values[start:stop]
        if np.isfinite(part).any():
            kept.update((start + int(np.nanargmin(part)), start + int(np.nanargmax(part))))
        else:
            kept.add(start)
    return np.array(sorted(kept))


def smooth(values: np.ndarray, window: int) -> np.ndarray:
    """Centred moving mean over `window` values, of those that are finite; NaN where there is none."""
    finite = np.isfinite(values)
    sums = np.concatenate([[0.0], np.cumsum(np.where(finite, values, 0.0))])
    counts = np.concatenate([[0], np.cumsum(finite)])
    index = np.arange(len(values))
    start, stop = np.maximum(index - window // 2, 0), np.minimum(index + window // 2 + 1, len(values))
    total = counts[stop] - counts[start]
    return np.where(total > 0, (sums[stop] - sums[start]) / np.maximum(total, 1), np.nan)


def padded_range(values: np.ndarray) -> tuple[float, float]:
    """Smallest and largest finite value with a little air; never empty."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    flat = high - low <= 1e-9 * max(abs(low), abs(high))
    air = (0.1 * abs(low) or 1.0) if flat else 0.06 * (high - low)
    return low - air, high + air


def ticks(low: float, high: float, count: int) -> list[float]:
    """Round numbers between two ends, about `count` of them."""
    rough = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * min((1, 2, 5, 10), key=lambda multiple: abs(multiple * power - rough))
    first, last = math.ceil(low / step), math.floor(high / step)
    return [float(f"{index * step:.12g}") for index in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Ticks between two powers of ten, given as their exponents: 1, 2, 5 of each decade or whole decades."""
    decades = range(math.floor(low), math.ceil(high) + 1)
    multiples = (1, 2, 5) if high - low < 3 else (1,)
    every = max(1, round((high - low) / 5))
    found = [m * 10.0**d for d in decades if d % every == 0 for m in multiples]
    return [float(f"{tick:.12g}") for tick in found if low <= math.log10(tick) <= high]
