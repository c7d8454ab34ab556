"""SimMIM's masks: random squares of tokens, all of one size."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from jssl.pretext.masks import Mask, num_masked


def unit_mask(key: PRNGKeyArray, grid: tuple[int, ...], ratio: float, *, unit: int = 2) -> Mask:
    """Hide units of `unit` tokens along each axis, drawn uniformly without replacement.

    Args:
        grid: tokens along each axis, multiples of `unit`; tokens in C order.
        ratio: share hidden, in (0, 1); the number of visible units is rounded down.
        unit: tokens along each side of a unit: 2 for the paper's 32 pixels with patches of 16.

    Returns:
        Mask of indices into the flattened grid; counts are static.

    Raises:
        ValueError: where units don't fill the grid, or the ratio leaves nothing visible or nothing hidden.

    Reference: Xie et al. 2021, arXiv:2111.09886, section 3.2.
    """
    if not grid or unit < 1 or any(size % unit for size in grid):
        raise ValueError(f"unit_mask expected a grid of multiples of {unit} tokens, got {grid}.")
    units = tuple(size // unit for size in grid)
    num = math.prod(units)
    order = jax.random.permutation(key, num)
    unit_of_token = np.arange(num).reshape(units)
    for axis in range(len(grid)):
        unit_of_token = unit_of_token.repeat(unit, axis)
    rank = jnp.argsort(order)[unit_of_token.reshape(-1)]
    tokens = jnp.argsort(rank)
    count = num_masked(num, ratio) * unit ** len(grid)
    return Mask(visible=jnp.sort(tokens[count:]), masked=jnp.sort(tokens[:count]))
