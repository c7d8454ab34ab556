"""Transforms made of transforms: one after the other, or only sometimes."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jssl.core import Transform


def compose(*transforms: Transform) -> Transform:
    """Apply the transforms in the given order, each with its own key split from the one given.

    Args:
        *transforms: at least one transform `(key, x) -> x`.

    Raises:
        ValueError: without any transform.
    """
    if not transforms:
        raise ValueError("compose expected at least one transform, got none.")

    def composed(key, x):
        for transform, transform_key in zip(transforms, jax.random.split(key, len(transforms)), strict=True):
            x = transform(transform_key, x)
        return x

    return composed


def deterministic(function: Callable[[Any], Any]) -> Transform:
    """Make a plain function `x -> x` (a resize, say) a transform that ignores its key."""
    return lambda key, x: function(x)


def random_apply(transform: Transform, *, probability: float = 0.5) -> Transform:
    """Apply a transform that keeps shape and dtype with a probability, else return the example unchanged.

    Both outcomes are computed and one is selected: under `vmap` a branch would cost the same.

    Raises:
        ValueError: if the probability is outside [0, 1], or the transform changes shape or dtype.
    """
    if not 0 <= probability <= 1:
        raise ValueError(f"random_apply expected a probability in [0, 1], got {probability}.")

    def applied(key, x):
        coin_key, transform_key = jax.random.split(key)
        changed = transform(transform_key, x)
        if (changed.shape, changed.dtype) != (x.shape, x.dtype):
            raise ValueError(
                f"random_apply expected a transform that keeps {x.shape} {x.dtype}, got {changed.shape} "
                f"{changed.dtype}; apply transforms that resize always."
            )
        return jnp.where(jax.random.bernoulli(coin_key, probability), changed, x)

    return applied
