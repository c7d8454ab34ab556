"""The start of k-means, and what both it and the iterations need."""

import math
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

TABLE = 2**26
"""How many distances are held at once, at 128 centroids or more."""

UNSEEN = 1e30
"""The weight of rows before any row is drawn, beyond every squared distance."""


def nearest_centroids(
    x: Float[Array, "n dim"], centroids: Float[Array, "k dim"]
) -> tuple[Int[Array, " n"], Float[Array, " n"]]:
    """The nearest centroid of each row, the first of equally near ones, and the squared distance to it."""
    k, block = len(centroids), block_size(len(x), len(centroids))
    padding = -k % block
    blocks = jnp.pad(centroids, ((0, padding), (0, 0))).reshape(-1, block, centroids.shape[1])
    # ||x - c||^2 = ||x||^2 - 2 (x c - ||c||^2 / 2); what fills up the last block is infinitely far.
    halves = jnp.pad(0.5 * jnp.sum(centroids**2, axis=1), (0, padding), constant_values=jnp.inf)

    def of_block(own: tuple[Array, Array]) -> tuple[Array, Array]:
        return first_largest(matmul(x, own[0].T) - own[1][None, :])

    scores, places = jax.lax.map(of_block, (blocks, halves.reshape(-1, block)))
    best = jnp.argmax(scores, axis=0)
    place = jnp.take_along_axis(places, best[None], axis=0)[0]
    squared = jnp.sum(x**2, axis=1) - 2 * jnp.max(scores, axis=0)
    return (best * block + place).astype(jnp.int32), jnp.maximum(squared, 0.0)


def first_largest(scores: Float[Array, "n k"]) -> tuple[Float[Array, " n"], Int[Array, " n"]]:
    """The largest score of each row and its first place, by two passes that a CPU makes in vectors.

    `jnp.argmax` carries value and place together, number by number: there it takes longer than the product
    that the scores come from.
    """
    largest, last = jnp.max(scores, axis=1), scores.shape[1] - 1
    places = jnp.where(scores == largest[:, None], jnp.arange(last + 1)[None, :], last)
    return largest, jnp.min(places, axis=1)


def kmeans_start(
    x: Float[Array, "n dim"],
    k: int,
    *,
    key: PRNGKeyArray,
    where: Bool[Array, " n"],
    start: Literal["k-means++", "random"] = "k-means++",
    axis_name: str | None = None,
) -> Float[Array, "k dim"]:
    """k of the rows, each drawn by its squared distance to those drawn before, or any ones.

    k-means++ is the greedy one: of `2 + log k` rows drawn, that which leaves the smallest distances.

    Raises:
        ValueError: for k out of range or an unknown start.
    """
    n = len(x) * (1 if axis_name is None else jax.lax.axis_size(axis_name))
    if not 1 <= k <= n:
        raise ValueError(f"expected from 1 to as many clusters as rows, {n}, got k={k}")
    if start not in ("k-means++", "random"):
        raise ValueError(f"expected start='k-means++' or 'random', got {start!r}")
    trials = 2 + int(math.log(k)) if start == "k-means++" else 1
    draws = jax.random.uniform(key, (k, trials))

    def draw(number: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        centroids, weights = carry
        rows, drawn = jax.vmap(lambda u: _draw_row(u, weights, x, axis_name))(draws[number])
        far = _squared_distances(x, rows) if start == "k-means++" else weights[:, None]
        left = jnp.minimum(weights[:, None], jnp.where(drawn.T, 0.0, far))
        best = jnp.argmin(add_up(jnp.sum(left, axis=0), axis_name))
        return centroids.at[number].set(rows[best]), left[:, best]

    weights = jnp.where(where, UNSEEN / n, 0.0)
    if axis_name is not None:
        weights = jax.lax.pcast(weights, axis_name, to="varying")
    return jax.lax.fori_loop(0, k, draw, (jnp.zeros((k, x.shape[1]), x.dtype), weights))[0]


def _squared_distances(x: Float[Array, "n dim"], rows: Float[Array, "m dim"]) -> Float[Array, "n m"]:
    squares = jnp.sum(x**2, axis=1)[:, None] + jnp.sum(rows**2, axis=1)[None, :]
    return jnp.maximum(squares - 2 * matmul(x, rows.T), 0.0)


def _draw_row(
    u: Float[Array, ""], weights: Float[Array, " n"], x: Float[Array, "n dim"], axis_name: str | None
) -> tuple[Float[Array, " dim"], Bool[Array, " n"]]:
    """The row at which the sum of weights over all devices passes its share `u`, and which row that is."""
    sums = jnp.cumsum(weights)
    target, mine = u * sums[-1], jnp.asarray(True)
    if axis_name is not None:
        device = jax.lax.axis_index(axis_name)
        own = jnp.zeros(jax.lax.axis_size(axis_name), sums.dtype).at[device].set(sums[-1])
        ends = jnp.cumsum(jax.lax.psum(own, axis_name))
        target = u * ends[-1]
        owner = _passed(ends, target)
        target, mine = target - jnp.where(owner > 0, ends[owner - 1], 0.0), owner == device
    place = _passed(sums, target)
    drawn = (jnp.arange(len(x)) == place) & mine
    return add_up(jnp.where(mine, x[place], 0.0), axis_name), drawn


def _passed(sums: Float[Array, " n"], target: Float[Array, ""]) -> Int[Array, ""]:
    """The first place whose sum is above the target; never one of no weight at the end."""
    last = jnp.searchsorted(sums, sums[-1], side="left")
    return jnp.minimum(jnp.searchsorted(sums, target, side="right"), last)


def block_size(n: int, k: int) -> int:
    """How many centroids are compared at once with n rows."""
    return min(k, max(128, TABLE // n))


def matmul(a: Array, b: Array) -> Array:
    """The product in full float32: the difference of two distances is small beside them."""
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)


def add_up(x: Any, axis_name: str | None) -> Any:
    """The sums over all devices."""
    return x if axis_name is None else jax.lax.psum(x, axis_name)
