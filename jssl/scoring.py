"""What a method says of examples that it was not trained on: how well it does, what it predicts."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from jssl.core import Method, TrainState
from jssl.data import DataSet, Source, as_arrays, subset

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

    def score(state: TrainState, key: jax.Array, data: DataSet) -> dict[str, float]:
        totals: dict[str, float] = defaultdict(float)
        counts: dict[str, float] = defaultdict(float)
        for number, batch in enumerate(_batches(_test(data), spread)):
            own_key = jax.random.fold_in(key, number)
            for name, (total, count) in jitted(state.params, state.method_state, batch, key=own_key).items():
                totals[name] += float(total)
                counts[name] += float(count)
        return {name: totals[name] / max(counts[name], 1e-30) for name in totals}

    return score


def make_predict(
    method: Method, *, spread: jax.sharding.NamedSharding, whole: jax.sharding.NamedSharding
) -> Callable[[TrainState, DataSet], tuple[Any, ...]]:
    """A function `(state, data) -> (predictions, targets)` of all test examples in their order.

    Args:
        method: whose `predict` it is.
        spread: the placement of a batch, a share on each device.
        whole: the placement of the predictions, all on each device.
    """
    if method.predict is None:
        raise ValueError("The evaluation of predictions needs a method with `predict`: methods.classifier.")
    jitted = jax.jit(method.predict, out_shardings=whole)

    def predict(state: TrainState, data: DataSet) -> tuple[Any, ...]:
        test = _test(data)
        found = [jitted(state.params, state.method_state, batch) for batch in _batches(test, spread)]
        return tuple(np.concatenate(column)[: len(test)] for column in zip(*found, strict=True))

    return predict


def _test(data: DataSet) -> Source:
    if data.test is None:
        raise ValueError("The evaluation of held-out examples needs a test source in the DataSet.")
    return data.test


def _batches(test: Source, spread: jax.sharding.NamedSharding) -> Iterator[dict[str, jax.Array]]:
    """All examples in their order; the last one fills up its batch, and its copies have the "weight" 0."""
    devices = spread.mesh.size
    widest = max(np.asarray(x).size for x in test[0].values())
    size = -(-max(1, min(ROWS, TOKENS // widest)) // devices) * devices
    for start in range(0, len(test), size):
        places = np.arange(start, start + size)
        batch = as_arrays(subset(test, np.minimum(places, len(test) - 1)))
        batch["weight"] = (places < len(test)).astype(np.float32)
        yield {name: _spread(x, spread) for name, x in batch.items()}


def _spread(x: np.ndarray, sharding: jax.sharding.NamedSharding) -> jax.Array:
    return jax.make_array_from_callback(x.shape, sharding, lambda share: x[share])
