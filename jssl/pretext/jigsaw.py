"""Jigsaw puzzles: a picture's tiles, and the orders in which they may be laid out."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int

from jssl.core import Transform
from jssl.pretext.image.checks import check_image

MOST_CANDIDATES = 400_000


def jigsaw_permutations(num: int, tiles: int, *, seed: int = 0) -> Int[np.ndarray, "{num} {tiles}"]:
    """Orders of the tiles that are as far from each other as can be, chosen one after the other.

    `p_k = argmax_p min_{j < k} hamming(p, p_j)`, from a random first one; among equals, that of the largest
    sum of distances.

    Args:
        num: number of orders, 2 or more; each is a class of the pretext task. The paper's: 1,000 of 9 tiles.
        tiles: in a picture, 2 or more: 9 for a grid of 3 x 3. Of more than 9 tiles not all orders are
            looked at, but 400,000 random ones.
        seed: of the first order and of the random ones.

    Raises:
        ValueError: if there are not as many orders.

    Deviation: the paper maximises the sum of the distances alone, which lets single pairs be alike: of its 64
    orders of 9 tiles two differ in 4 places only, of these in 7.

    Reference: Noroozi and Favaro 2016, arXiv:1603.09246, algorithm 1.
    """
    if tiles < 2 or not 2 <= num <= min(math.factorial(tiles), MOST_CANDIDATES):
        raise ValueError(
            f"jigsaw_permutations expected 2 tiles or more and from 2 orders to tiles! of them, got {num} "
            f"orders of {tiles} tiles."
        )
    generator = np.random.default_rng(seed)
    candidates = _candidates(generator, tiles)
    chosen = [int(generator.integers(len(candidates)))]
    total = np.zeros(len(candidates), np.int64)
    nearest = np.full(len(candidates), tiles)
    while len(chosen) < num:
        distance = np.sum(candidates != candidates[chosen[-1]], axis=1)
        total += distance
        nearest = np.minimum(nearest, distance)
        # What is chosen already has the distance 0, and no sum exceeds the factor.
        chosen.append(int(np.argmax(nearest * (tiles * num + 1) + total)))
    return candidates[chosen].astype(np.int32)


def jigsaw_tiles(grid: int, size: int, *, equalize: bool = True) -> Transform:
    """Cut an image into a grid of cells, and a tile out of each at a random place.

    The gap between a tile and the next is random, so that neither edges nor lines across them show which
    tiles are neighbours.

    Args:
        grid: cells along each side, 2 or more.
        size: of a tile along each side, in pixels; the less than a cell, the wider the gaps. The paper's: 64
            of 75.
        equalize: give each channel of each tile the mean and the standard deviation of the whole image, so
            that they don't show where a tile was. What then leaves [0, 1] is clipped.

    Returns:
        A transform `[height, width, channels] -> [grid * grid, size, size, channels]`, row by row. Pixels
        right of or below the last whole cell are not used.

    Raises:
        ValueError: for a grid below 2 or an empty tile; in the transform, for a tile larger than a cell.

    Deviation: the paper standardises each tile; here it keeps the range of images, which the encoder takes.

    Reference: Noroozi and Favaro 2016, arXiv:1603.09246, sections 3.2 and 3.3.
    """
    if grid < 2 or size < 1:
        raise ValueError(f"jigsaw_tiles expected a grid of 2 or more and a size above 0, got {grid}, {size}.")
    rows, columns = np.divmod(np.arange(grid**2), grid)

    def transform(key, x):
        check_image(x, "jigsaw_tiles")
        cell = x.shape[0] // grid, x.shape[1] // grid
        if size > min(cell):
            raise ValueError(
                f"jigsaw_tiles expected tiles of at most {min(cell)} pixels, got {size}: an image of "
                f"{x.shape[0]}x{x.shape[1]} has cells of {cell[0]}x{cell[1]}."
            )
        room = jnp.asarray(cell)[None] - size + 1
        shift = jnp.floor(jax.random.uniform(key, (grid**2, 2)) * room).astype(jnp.int32)
        corners = jnp.stack([rows * cell[0], columns * cell[1]], axis=1) + shift

        def cut(corner):
            return jax.lax.dynamic_slice(x, (corner[0], corner[1], 0), (size, size, x.shape[2]))

        tiles = jax.vmap(cut)(corners)
        return _equalized(tiles, x) if equalize else tiles

    return transform


def _equalized(tiles, x, epsilon=1e-3):
    axes = (-3, -2)
    mean, std = (f(tiles, axis=axes, keepdims=True) for f in (jnp.mean, jnp.std))
    image_mean, image_std = (f(x, axis=axes, keepdims=True)[None] for f in (jnp.mean, jnp.std))
    return jnp.clip(image_mean + (tiles - mean) * image_std / (std + epsilon), 0.0, 1.0)


def _candidates(generator, tiles):
    if math.factorial(tiles) <= MOST_CANDIDATES:
        return np.array(list(itertools.permutations(range(tiles))), np.int8)
    orders = np.tile(np.arange(tiles, dtype=np.int8), (MOST_CANDIDATES, 1))
    return np.unique(generator.permuted(orders, axis=1), axis=0)
