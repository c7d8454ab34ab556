"""Which tokens a masked method hides. Counts are static and exact; the tokens' modality does not matter."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, PRNGKeyArray


class Mask(NamedTuple):
    """Indices of the tokens that stay visible and of those that are hidden, both ascending."""

    visible: Int[Array, " num_visible"]
    masked: Int[Array, " num_masked"]


class BoundedMask(NamedTuple):
    """Which tokens are hidden, a random number of them, and the indices of as many as there may be.

    chosen: all hidden tokens, then as many others, chosen in the same way, as fill the static number.
    """

    hidden: Bool[Array, " n"]
    chosen: Int[Array, " bound"]


def num_masked(num_tokens: int, ratio: float) -> int:
    """How many of `num_tokens` a ratio hides: all but floor(num_tokens (1 - ratio)), as MAE.

    Raises:
        ValueError: if the ratio is outside (0, 1) or leaves nothing visible or nothing hidden.
    """
    if not 0 < ratio < 1:
        raise ValueError(f"a mask ratio is expected in (0, 1), got {ratio}.")
    # The small term keeps a product such as 10 * (1 - 0.9) from falling below its whole number.
    hidden = num_tokens - math.floor(num_tokens * (1 - ratio) + 1e-6)
    if not 0 < hidden < num_tokens:
        raise ValueError(
            f"a mask ratio of {ratio} hides {hidden} of {num_tokens} tokens; expected some, not all."
        )
    return hidden


def random_mask(key: PRNGKeyArray, num_tokens: int, ratio: float) -> Mask:
    """Hide tokens drawn uniformly without replacement.

    Args:
        num_tokens: static number of tokens n.
        ratio: share hidden, in (0, 1).

    Returns:
        Mask of n - k visible and k hidden indices, k = `num_masked(n, ratio)`.

    Reference: He et al. 2021 (MAE), arXiv:2111.06377, section 3.
    """
    return _lowest_masked(jax.random.uniform(key, (num_tokens,)), num_masked(num_tokens, ratio))


def block_mask(
    key: PRNGKeyArray,
    grid: tuple[int, ...],
    ratio: float,
    *,
    block: tuple[float, float] = (0.08, 0.4),
    aspect: tuple[float, float] = (0.3, 1 / 0.3),
    num_blocks: int = 32,
) -> Mask:
    """Hide random blocks of a grid of tokens until the exact number is reached.

    Args:
        grid: tokens along each axis, for example (14, 14) patches or (200,) frames; tokens in C order.
        ratio: share hidden, in (0, 1).
        block: bounds of the share of the grid that one block covers, in (0, 1].
        aspect: bounds of the ratio of a block's sides on the last two axes, drawn log-uniformly.
        num_blocks: blocks drawn; tokens outside all of them are hidden at random if those don't suffice.

    Returns:
        Mask of indices into the flattened grid; the last block needed is hidden in part, row by row.

    Raises:
        ValueError: for an empty grid or bounds that are not positive and ascending.

    Deviation: BEiT draws blocks one by one until about the share is hidden; here the count is exact.

    Reference: Bao et al. 2021 (BEiT), arXiv:2106.08254, algorithm 1.
    """
    if not grid or min(grid) < 1:
        raise ValueError(f"block_mask expected a grid of positive sizes, got {grid}.")
    if not (0 < block[0] <= block[1] <= 1 and 0 < aspect[0] <= aspect[1]):
        raise ValueError(
            f"block_mask expected ascending positive bounds, got block {block}, aspect {aspect}."
        )
    hidden = num_masked(math.prod(grid), ratio)
    return _lowest_masked(_block_by_block(key, grid, block, aspect, num_blocks), hidden)


def ibot_mask(
    key: PRNGKeyArray,
    grid: tuple[int, ...],
    *,
    ratio: tuple[float, float] = (0.1, 0.5),
    probability: float = 0.5,
    smallest: float = 0.08,
    aspect: tuple[float, float] = (0.3, 1 / 0.3),
    num_blocks: int = 32,
) -> BoundedMask:
    """Hide random blocks of a grid of tokens that cover a random share of it, or, as often, nothing.

    Args:
        grid: tokens along each axis, for example (14, 14) patches or (200,) frames; tokens in C order.
        ratio: bounds in [0, 1) of the share hidden, drawn uniformly; its number of tokens is rounded down.
        probability: that anything is hidden, in [0, 1].
        smallest: share of the grid that a block covers at least, in (0, 1]; at most it is the share hidden.
        aspect: bounds of the ratio of a block's sides on the last two axes, drawn log-uniformly.
        num_blocks: blocks drawn; tokens outside all of them are hidden at random if those don't suffice.

    Returns:
        BoundedMask of n tokens, of which at most floor(n * ratio[1]) are hidden.

    Raises:
        ValueError: for an empty grid, bounds that are not ascending, or a ratio that hides no token at all.

    Deviations: the published code draws blocks one by one and takes none that would hide too many; here the
    last block needed is hidden in part, row by row, and the count is exact. DINOv2 masks exactly half of a
    batch, with evenly spaced shares; here each example draws its own.

    Reference: Zhou et al. 2021 (iBOT), arXiv:2111.07832, section 3.3 and appendix E.
    """
    if not grid or min(grid) < 1:
        raise ValueError(f"ibot_mask expected a grid of positive sizes, got {grid}.")
    if not (0 <= ratio[0] <= ratio[1] < 1 and 0 < smallest <= 1 and 0 < aspect[0] <= aspect[1]):
        raise ValueError(
            "ibot_mask expected ascending bounds of a ratio in [0, 1), an aspect above 0, smallest in "
            f"(0, 1], got {ratio}, {aspect} and {smallest}."
        )
    # The small term keeps a product such as 10 * 0.7 from falling below its whole number.
    bound = math.floor(math.prod(grid) * ratio[1] + 1e-4)
    if bound < 1:
        raise ValueError(
            f"ibot_mask expected a ratio that hides some of {math.prod(grid)} tokens, got {ratio}."
        )
    coin_key, ratio_key, block_key = jax.random.split(key, 3)
    share = jax.random.uniform(ratio_key, (), minval=ratio[0], maxval=ratio[1])
    order = _block_by_block(block_key, grid, (smallest, jnp.maximum(smallest, share)), aspect, num_blocks)
    count = jnp.minimum(jnp.floor(share * order.size + 1e-4), bound)
    rank = jnp.argsort(jnp.argsort(order))
    hidden = (rank < count) & jax.random.bernoulli(coin_key, probability)
    return BoundedMask(hidden, jnp.argsort(order)[:bound])


def as_bool(mask: Mask) -> Bool[Array, " n"]:
    """True where a token is hidden."""
    hidden = jnp.zeros(mask.visible.size + mask.masked.size, bool)
    return hidden.at[mask.masked].set(True)


def _lowest_masked(scores, count):
    order = jnp.argsort(scores)
    return Mask(visible=jnp.sort(order[count:]), masked=jnp.sort(order[:count]))


def _block_by_block(key, grid, block, aspect, num_blocks):
    """[n] numbers that order tokens by the first random block they lie in; those in none come last."""
    block_key, rest_key = jax.random.split(key)
    covered = _random_blocks(block_key, grid, block, aspect, num_blocks).reshape(num_blocks, -1)
    first_block = jnp.where(jnp.any(covered, axis=0), jnp.argmax(covered, axis=0), num_blocks)
    row_by_row = jnp.arange(first_block.size) / first_block.size
    at_random = jax.random.uniform(rest_key, first_block.shape)
    return first_block + jnp.where(first_block < num_blocks, row_by_row, at_random)


def _random_blocks(key, grid, block, aspect, num_blocks):
    """[num_blocks, *grid] booleans: inside each block."""
    size_key, aspect_key, place_key = jax.random.split(key, 3)
    shape = (num_blocks, len(grid))
    share = jax.random.uniform(size_key, (num_blocks, 1), minval=block[0], maxval=block[1])
    low, high = math.log(aspect[0]), math.log(aspect[1])
    log_aspect = jax.random.uniform(aspect_key, (num_blocks, 1), minval=low, maxval=high)
    # Half of it each way, so that the product of the sides keeps the share; one axis is not stretched.
    halves = np.array([*[0.0] * (len(grid) - 2), 0.5, -0.5] if len(grid) > 1 else [0.0])
    stretch = jnp.exp(log_aspect * halves[None])
    sizes = jnp.array(grid)[None]
    sides = jnp.round(sizes * share ** (1 / len(grid)) * stretch).astype(jnp.int32)
    sides = jnp.clip(sides, 1, sizes)
    starts = jnp.floor(jax.random.uniform(place_key, shape) * (sizes - sides + 1)).astype(jnp.int32)
    inside = jnp.ones((num_blocks, *[1] * len(grid)), bool)
    for axis, size in enumerate(grid):
        along = [1] * (len(grid) + 1)
        along[axis + 1] = size
        position = jnp.arange(size).reshape(along)
        start, side = (v[:, axis].reshape(num_blocks, *[1] * len(grid)) for v in (starts, sides))
        inside = inside & (position >= start) & (position < start + side)
    return inside
