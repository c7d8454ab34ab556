"""Exponential moving average of a tree: the target network of BYOL, DINO and their kin."""

import jax
from jaxtyping import Array, Float

from jssl.core import Tree


def ema(target: Tree, online: Tree, *, decay: float | Float[Array, ""]) -> Tree:
    """`decay * target + (1 - decay) * online`, leaf by leaf, in the dtypes of `target`.

    Keep the target in float32: bfloat16 rounds the small steps of a decay above 0.99 away.
    """
    return jax.tree.map(lambda t, o: (decay * t + (1 - decay) * o).astype(t.dtype), target, online)
