"""Measures how well a method solves its own pretext task on examples that it was not trained on."""

from collections import defaultdict
from collections.abc import Callable

import jax
import numpy as np

from jssl.core import Method, TrainState
from jssl.data import DataSet, as_arrays, subset

ROWS = 512
"""Examples that are scored at once, at most."""

TOKENS = 2**15
"""Tokens, or other numbers of inputs, that are scored at once, at most."""


def make_score(
    method: Method, *, spread: jax.sharding.NamedSharding, whole: jax.sharding.NamedSharding
) -> Callable[[TrainState, jax.Array, DataSet], dict[str, float]]:
    """A function `(state, key, data) -> means of the method's score` over the test examples.

    Args:
        method: whose `score` it is.
        spread: the placement of a batch, a share on each device.
        whole: the placement of the sums, all on each device.
    """
    if method.score is None:
        raise ValueError("The evaluation of held-out examples needs a method with `score`, as methods.clm.")
    jitted = jax.jit(method.score, out_shardings=whole)
    devices = spread.mesh.size

    def score(state: TrainState, key: jax.Array, data: DataSet) -> dict[str, float]:
        if data.test is None:
            raise ValueError("The evaluation of held-out examples needs a test source in the DataSet.")
        widest = max(np.asarray(x).size for x in data.test[0].values())
        size = -(-max(1, min(ROWS, TOKENS // widest)) // devices) * devices
        totals: dict[str, float] = defaultdict(float)
        counts: dict[str, float] = defaultdict(float)
        for number, start in enumerate(range(0, len(data.test), size)):
            places = np.arange(start, start + size)
            batch = as_arrays(subset(data.test, np.minimum(places, len(data.test) - 1)))
            batch["weight"] = (places < len(data.test)).astype(np.float32)
            found = jitted(
                state.params,
                state.method_state,
                {name: _spread(x, spread) for name, x in batch.items()},
                key=jax.random.fold_in(key, number),
            )
            for name, (total, count) in found.items():
                totals[name] += float(total)
                counts[name] += float(count)
        return {name: totals[name] / max(counts[name], 1e-30) for name in totals}

    return score


def _spread(x: np.ndarray, sharding: jax.sharding.NamedSharding) -> jax.Array:
    return jax.make_array_from_callback(x.shape, sharding, lambda share: x[share])
