"""Pictures of a method's pretext task, drawn after training for the run's page."""

from pathlib import Path

import jax
import numpy as np

from jssl import platform
from jssl.core import Method, TrainState
from jssl.data import Source, as_arrays, subset
from jssl.texts import are_rows

PICTURED = 2048
"""From how many examples the page's map, neighbours and clusters are drawn."""

DRAWN = 2**25
"""Bytes: of so many of these the method's pictures are drawn."""

VIEWED = 512
"""Of how many of them the views are kept in memory, to measure their alignment."""

SHOWN = 12
"""How many rows of each kind of picture the page shows."""


def draw_pictures(method: Method, state: TrainState, key: jax.Array, source: Source) -> dict[str, np.ndarray]:
    """What the method shows of its pretext task, of the first examples.

    Where no more than a few rows are of use, they come from all over the source.
    """
    if method.show is None:
        return {}
    jitted = jax.jit(method.show, compiler_options=platform.once_options(jax.default_backend()))
    each = sum(np.asarray(x).nbytes for x in source[0].values())
    count = min(len(source), PICTURED, max(SHOWN, DRAWN // each))
    size = min(256, count)
    chosen = np.arange(count)
    if not _all_are_used(
        jax.eval_shape(method.show, state.params, state.method_state, _shapes(source, size), key=key)
    ):
        count = size = min(SHOWN, count)
        chosen = np.linspace(0, len(source) - 1, count).astype(np.int64)
    parts: dict[str, list[np.ndarray]] = {}
    for number, start in enumerate(range(0, count, size)):
        # Full batches only, so that it is compiled once.
        places = np.resize(chosen[start : start + size], size)
        batch = as_arrays(subset(source, places))
        drawn = jitted(state.params, state.method_state, batch, key=jax.random.fold_in(key, number))
        for name, values in drawn.items():
            if values.ndim == 2 or start < VIEWED:
                parts.setdefault(name, []).append(np.asarray(values)[: min(size, count - start)])
    return {name: np.concatenate(values) for name, values in parts.items()}


def _shapes(source: Source, size: int) -> dict[str, jax.ShapeDtypeStruct]:
    """Those of a batch."""
    each = {name: np.asarray(x) for name, x in source[0].items()}
    return {name: jax.ShapeDtypeStruct((size, *x.shape), x.dtype) for name, x in each.items()}


def _all_are_used(drawn: dict[str, jax.ShapeDtypeStruct]) -> bool:
    """Whether more is made of the pictures than a few rows on the page: clusters, or the views' alignment."""
    return any(values.ndim == 2 or name == "views" for name, values in drawn.items())


def write_pictures(folder: Path, pictures: dict[str, np.ndarray]) -> None:
    """The file that the page draws the method's pictures from."""
    shown = {
        name: values if values.ndim == 2 else values[:SHOWN]
        for name, values in pictures.items()
        if not are_rows(values)
    }
    np.savez_compressed(folder / "pictures.npz", **shown)  # type: ignore[arg-type]
