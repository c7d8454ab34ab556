"""k-means: of a whole array, sharded over devices or not, and of a stream of batches.

All of it is made of matrix products over blocks of centroids, so that it runs on a sharded array without
moving the rows, needs no table of rows by centroids, and gives the same bits at each call.
"""

from functools import partial
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, Scalar

from jssl.ops.kmeans_start import add_up, block_size, kmeans_start, matmul, nearest_centroids
from jssl.ops.numeric import at_least_float32, l2_normalize

NUDGE = 0.01
"""How far a split moves a centroid, in root mean square distances of a row to its centroid."""


class KMeans(NamedTuple):
    """What k-means found.

    centroids: `[k, dim]`, of length 1 if spherical.
    counts: rows in each cluster.
    assignments: the cluster of each row, from 0.
    distortion: mean squared distance of a row to its centroid.
    """

    centroids: Float[Array, "k dim"]
    counts: Int[Array, " k"]
    assignments: Int[Array, " n"]
    distortion: Scalar


class Clusters(NamedTuple):
    """The clusters of a stream: their centroids, and the weight of what each has seen."""

    centroids: Float[Array, "k dim"]
    counts: Float[Array, " k"]


@partial(jax.jit, static_argnames=("k", "num_iterations", "start", "spherical", "axis_name"))
def kmeans(
    x: Float[Array, "n dim"],
    k: int,
    *,
    key: PRNGKeyArray,
    num_iterations: int = 20,
    start: Literal["k-means++", "random"] = "k-means++",
    spherical: bool = False,
    where: Bool[Array, " n"] | None = None,
    axis_name: str | None = None,
) -> KMeans:
    """Lloyd's k-means: `min_{c, a} 1/n sum_i ||x_i - c_{a_i}||^2`.

    A cluster that has become empty takes half of a large one: its centroid becomes that of the large cluster,
    moved a little at random, and the next iteration shares the rows out (Caron et al., 2018, section 3.3).

    Args:
        x: rows of any length, `[n, dim]`; under `jax.jit` they may be sharded over devices.
        k: number of clusters, from 1 to n.
        key: of the start and the splits.
        num_iterations: assignments followed by means; one more assignment ends it.
        start: "k-means++" draws rows far from those already drawn (Arthur and Vassilvitskii, 2007), at k
            passes over `x`; "random" draws any rows.
        spherical: rows and centroids are scaled to length 1: the nearest is that of the largest cosine.
        where: rows that count; the others get an assignment and change nothing.
        axis_name: axis of `jax.pmap` or `jax.shard_map` over which the rows are split; centroids, counts and
            distortion are those of all rows, assignments those of the device's own.

    Returns:
        The clusters, in float32. No gradient flows through them.

    Raises:
        ValueError: for k or num_iterations out of range, or an unknown start.

    References: Lloyd, 1982; Dhillon and Modha, 2001 (spherical).
    """
    if num_iterations < 1:
        raise ValueError(f"expected 1 iteration or more, got num_iterations={num_iterations}")
    x, where = _prepared(x, where, spherical)
    start_key, split_key = jax.random.split(key)
    centroids = kmeans_start(x, k, key=start_key, start=start, where=where, axis_name=axis_name)

    def iterate(number: Array, centroids: Array) -> Array:
        assignments, squared = nearest_centroids(x, centroids)
        sums, counts = _totals(x, assignments, where, k, axis_name)
        means = sums / jnp.maximum(counts, 1)[:, None]
        distance = jnp.sqrt(_distortion(squared, where, axis_name))
        means = split_empty(jax.random.fold_in(split_key, number), means, counts, distance=distance)
        return l2_normalize(means) if spherical else means

    centroids = jax.lax.fori_loop(0, num_iterations, iterate, centroids)
    assignments, squared = nearest_centroids(x, centroids)
    _, counts = _totals(x, assignments, where, k, axis_name)
    return KMeans(centroids, counts, assignments, _distortion(squared, where, axis_name))


@partial(jax.jit, static_argnames=("k", "spherical", "axis_name"))
def minibatch_kmeans_start(
    x: Float[Array, "n dim"],
    k: int,
    *,
    key: PRNGKeyArray,
    spherical: bool = False,
    axis_name: str | None = None,
) -> Clusters:
    """Clusters of a stream before its first update: k rows of a first batch by k-means++."""
    x, where = _prepared(x, None, spherical)
    centroids = kmeans_start(x, k, key=key, where=where, axis_name=axis_name)
    return Clusters(centroids, jnp.zeros(k))


@partial(jax.jit, static_argnames=("spherical", "axis_name"))
def minibatch_kmeans_update(
    clusters: Clusters,
    x: Float[Array, "n dim"],
    *,
    key: PRNGKeyArray,
    decay: float | Float[Array, ""] = 1.0,
    spherical: bool = False,
    axis_name: str | None = None,
) -> Clusters:
    """Mini-batch k-means: move each centroid towards the mean of its rows in a batch.

    `w_k <- decay w_k + n_k`, `c_k <- c_k + n_k / w_k (mean_k - c_k)`

    With a decay of 1 each centroid is the mean of all rows that were ever assigned to it. A cluster of weight
    below 1 is empty, and takes half of a large one as in `kmeans`.

    Args:
        clusters: by `minibatch_kmeans_start`, or the last update.
        x: a batch of rows.
        key: of the splits.
        decay: in (0, 1]; below 1, where rows change while their encoder learns.
        spherical: as for `kmeans`, at the start and in every update.
        axis_name: axis of `jax.pmap` or `jax.shard_map` over which the batch is split.

    Reference: Sculley, 2010, "Web-scale k-means clustering", algorithm 1.
    """
    x, where = _prepared(x, None, spherical)
    assignments, squared = nearest_centroids(x, clusters.centroids)
    sums, seen = _totals(x, assignments, where, len(clusters.counts), axis_name)
    counts = decay * clusters.counts + seen
    means = sums / jnp.maximum(seen, 1)[:, None]
    rate = (seen / jnp.maximum(counts, 1e-12))[:, None]
    centroids = clusters.centroids + rate * (means - clusters.centroids)
    distance = jnp.sqrt(_distortion(squared, where, axis_name))
    centroids = split_empty(key, centroids, counts, distance=distance)
    return Clusters(l2_normalize(centroids) if spherical else centroids, counts)


def split_empty(
    key: PRNGKeyArray,
    centroids: Float[Array, "k dim"],
    counts: Float[Array, " k"] | Int[Array, " k"],
    *,
    distance: float | Float[Array, ""],
) -> Float[Array, "k dim"]:
    """Give each empty cluster the centroid of a large one, moved by a hundredth of `distance`.

    The first empty cluster takes from the largest one, the second from the second largest, and so on.

    Args:
        key: of the directions.
        centroids: of all clusters.
        counts: rows in each; a cluster of less than 1 is empty.
        distance: the scale of a cluster, as the root mean square distance of rows to their centroids.

    Reference: Caron et al., 2018, arXiv 1807.05520, section 3.3; Johnson et al., 2017, arXiv 1702.08734.
    """
    empty = counts < 1
    largest_first = jnp.argsort(-counts)
    donors = jnp.maximum(jnp.sum(counts > 1), 1)
    donor = largest_first[(jnp.cumsum(empty) - 1) % donors]
    step = NUDGE * distance * l2_normalize(jax.random.normal(key, centroids.shape))
    return jnp.where(empty[:, None], centroids[donor] + step, centroids)


def _prepared(
    x: Array, where: Array | None, spherical: bool
) -> tuple[Float[Array, "n dim"], Bool[Array, " n"]]:
    x = jax.lax.stop_gradient(at_least_float32(x))
    return l2_normalize(x) if spherical else x, jnp.ones(len(x), bool) if where is None else where


def _totals(
    x: Array, assignments: Array, where: Array, k: int, axis_name: str | None
) -> tuple[Float[Array, "k dim"], Int[Array, " k"]]:
    """Sum and number of the rows of each cluster."""
    totals = jax.lax.platform_dependent(
        x, assignments, where, cpu=partial(_scattered, k=k), default=partial(_multiplied, k=k)
    )
    return add_up(totals, axis_name)


def _scattered(x: Array, assignments: Array, where: Array, *, k: int) -> tuple[Array, Array]:
    """Row after row: k times less work than the product, and the order is fixed on a CPU only."""
    clusters = jnp.where(where, assignments, k)  # k is outside, and left out
    sums = jax.ops.segment_sum(x, clusters, k)
    return sums, jax.ops.segment_sum(where.astype(jnp.int32), clusters, k)


def _multiplied(x: Array, assignments: Array, where: Array, *, k: int) -> tuple[Array, Array]:
    """By a matrix of who belongs to which cluster, a block of clusters at a time."""
    block = block_size(len(x), k)

    def of_block(first: Array) -> tuple[Array, Array]:
        clusters = first + jnp.arange(block)
        members = (assignments[:, None] == clusters[None, :]) & where[:, None]
        return matmul(members.T.astype(x.dtype), x), jnp.sum(members, axis=0)

    sums, counts = jax.lax.map(of_block, jnp.arange(0, k, block))
    return sums.reshape(-1, x.shape[1])[:k], counts.reshape(-1)[:k]


def _distortion(squared: Array, where: Array, axis_name: str | None) -> Scalar:
    total, count = add_up((jnp.sum(jnp.where(where, squared, 0.0)), jnp.sum(where)), axis_name)
    return total / jnp.maximum(count, 1)
