"""I-JEPA's masks: several blocks to predict, and what remains of a large block to predict them from."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PRNGKeyArray


class MultiBlock(NamedTuple):
    """Indices of the context's tokens and of each target block's, ascending; no target is in the context."""

    context: Int[Array, " num_context"]
    targets: Int[Array, "num_targets num_target"]


def multiblock_mask(
    key: PRNGKeyArray,
    grid: tuple[int, int],
    *,
    num_targets: int = 4,
    target_scale: float = 0.175,
    target_aspect: tuple[float, float] = (0.75, 1.5),
    context_scale: tuple[float, float] = (0.85, 1.0),
    num_context: int | None = None,
) -> MultiBlock:
    """Draw target blocks, which may overlap, and a context of the tokens that no target holds.

    Args:
        grid: rows and columns of tokens, in C order; (1, n) for a series.
        num_targets: number of target blocks.
        target_scale: the share of the grid that each target covers, in (0, 1).
        target_aspect: bounds of a target's ratio of height to width, drawn uniformly.
        context_scale: bounds of the share of the grid, in (0, 1], that the square context block covers before
            the targets are taken out of it.
        num_context: tokens in the context; None: as many as are left if no targets overlap, for which there
            is room always.

    Returns:
        Static shapes: context [num_context], targets [num_targets, round(target_scale * tokens)].

    Raises:
        ValueError: for numbers out of range, or where targets could leave too few tokens for the context.

    Deviations: counts are fixed. A target's share is a number (the paper's is drawn from (0.15, 0.2)), and
    its first or last row is cut short where the count asks for it. Of the context block's free tokens
    `num_context` are drawn at random, where the published code keeps the first ones, row by row, as many as
    the batch's smallest context has; if they are too few, free tokens from outside the block complete them.

    Reference: Assran et al. 2023, arXiv:2301.08243, section 3 and appendix A.1.
    """
    _check(grid, num_targets, target_scale, target_aspect, context_scale)
    tokens = math.prod(grid)
    num_target = max(1, round(target_scale * tokens))
    room = tokens - num_targets * num_target
    num_context = room if num_context is None else num_context
    if not 0 < num_context <= room:
        raise ValueError(
            f"multiblock_mask expected a context of 1 to {room} tokens, got {num_context}: {num_targets} "
            f"targets of {num_target} may leave no more of {tokens}; take fewer or smaller targets."
        )
    target_key, size_key, place_key, order_key = jax.random.split(key, 4)
    targets = jax.vmap(lambda own: _target(own, grid, num_target, target_aspect))(
        jax.random.split(target_key, num_targets)
    )
    taken = jnp.zeros(tokens, bool).at[targets.reshape(-1)].set(True)
    share = jnp.sqrt(jax.random.uniform(size_key, (), minval=context_scale[0], maxval=context_scale[1]))
    sides = jnp.clip(jnp.round(share * jnp.array(grid)), 1, jnp.array(grid)).astype(jnp.int32)
    inside = _inside(place_key, grid, sides)
    # Free tokens of the block come first, then free ones outside, then those that are taken.
    rank = jnp.where(taken, 2.0, jnp.where(inside, 0.0, 1.0))
    order = jnp.argsort(rank + jax.random.uniform(order_key, (tokens,)))
    return MultiBlock(jnp.sort(order[:num_context]), targets)


def _target(key, grid, count, aspect):
    """`count` tokens of a random block that holds as many, row by row from one of its corners."""
    aspect_key, place_key, corner_key = jax.random.split(key, 3)
    ratio = jax.random.uniform(aspect_key, (), minval=aspect[0], maxval=aspect[1])
    height = jnp.round(jnp.sqrt(count * ratio)).astype(jnp.int32)
    height = jnp.clip(height, -(-count // grid[1]), min(grid[0], count))
    width = -(-count // height)
    inside = _inside(place_key, grid, jnp.stack([height, width]))
    row, column = _places(grid)
    down, right = jax.random.rademacher(corner_key, (2,), jnp.int32)
    order = jnp.where(inside, down * row * grid[1] + right * column, math.prod(grid))
    return jnp.sort(jnp.argsort(order)[:count])


def _inside(key, grid, sides):
    """Which tokens lie in a block of these sides at a random place."""
    starts = jnp.floor(jax.random.uniform(key, (2,)) * (jnp.array(grid) - sides + 1)).astype(jnp.int32)
    row, column = _places(grid)
    row, column = row - starts[0], column - starts[1]
    return (row >= 0) & (row < sides[0]) & (column >= 0) & (column < sides[1])


def _places(grid):
    return (jnp.asarray(index) for index in np.divmod(np.arange(math.prod(grid)), grid[1]))


def _check(grid, num_targets, target_scale, target_aspect, context_scale):
    if len(grid) != 2 or min(grid) < 1 or num_targets < 1:
        raise ValueError(
            "multiblock_mask expected a grid (rows, columns) and 1 target or more, got "
            f"{grid} and {num_targets}; a series of n tokens is (1, n)."
        )
    if not (0 < target_scale < 1 and 0 < context_scale[0] <= context_scale[1] <= 1):
        raise ValueError(
            "multiblock_mask expected a target_scale in (0, 1) and ascending bounds of context_scale in "
            f"(0, 1], got {target_scale} and {context_scale}."
        )
    if not 0 < target_aspect[0] <= target_aspect[1]:
        raise ValueError(f"multiblock_mask expected ascending positive aspects, got {target_aspect}.")
