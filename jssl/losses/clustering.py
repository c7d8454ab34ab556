"""Clustering losses: views of one example agree on which prototypes it belongs to."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Scalar

from jssl import ops
from jssl.losses.checks import check_temperature


def swav(
    scores: Float[Array, "batch views prototypes"],
    codes: Float[Array, "batch globals prototypes"],
    *,
    temperature: float | Float[Array, ""],
    axis_name: str | None = None,
) -> Scalar:
    """SwAV's swapped prediction: the scores of each view predict the codes of every other global view.

    `L = mean_{g, v != g} -1/N sum_n sum_k codes_{n, g, k} log softmax(scores_{n, v} / t)_k`

    Args:
        scores: cosines to the prototypes, `[batch, views, prototypes]`, the global views first. This is the
            layout of interleaved views: `(prototypes of [batch * views, dim]).reshape(batch, views, -1)`.
        codes: of the global views, `[batch, globals, prototypes]`, by `swav_codes`; no gradient flows here.
        temperature: above 0; the paper's is 0.1.
        axis_name: axis of `jax.pmap` or `jax.shard_map` over which the batch is split. Gradients: see
            `jssl.ops.devices`.

    Returns:
        Mean over the batch and over the `globals * (views - 1)` pairs, a float32 scalar.

    Raises:
        ValueError: if there are fewer than 2 views, the codes do not fit the scores, or the temperature is
            not above 0.

    Deviation: a mean over the pairs, as in the published implementation, where equation 6 has a sum.

    Reference: Caron et al. 2020, arXiv:2006.09882, equations 2 and 6.
    """
    _check_codes_fit(scores, codes)
    check_temperature(temperature)
    log_p = jax.nn.log_softmax(ops.at_least_float32(scores) / temperature, axis=-1)
    codes = jax.lax.stop_gradient(ops.at_least_float32(codes))
    losses = -jnp.einsum("ngk,nvk->ngv", codes, log_p, precision=jax.lax.Precision.HIGHEST)
    swapped = ~jnp.eye(codes.shape[1], scores.shape[1], dtype=bool)
    return ops.masked_mean(losses, jnp.broadcast_to(swapped, losses.shape), axis_name=axis_name)


def swav_codes(
    scores: Float[Array, "batch globals prototypes"],
    *,
    queued: Float[Array, "rows globals prototypes"] | None = None,
    where: Bool[Array, " rows"] | None = None,
    epsilon: float = 0.05,
    num_iterations: int = 3,
    axis_name: str | None = None,
) -> Float[Array, "batch globals prototypes"]:
    """SwAV's codes of the global views, each view by a Sinkhorn-Knopp of its own, without gradient.

    Args:
        scores: cosines of the global views to the prototypes, `[batch, globals, prototypes]`.
        queued: scores of earlier embeddings by today's prototypes, which help to share out a batch that is
            small against the number of prototypes. With `queue = ops.queue_init(capacity, globals, dim)` in
            the method's state, the prototypes of `queue.rows`. With `axis_name`, each device's own share.
        where: the queued rows that count: `ops.queue_valid(queue)`, or all false until the paper's epoch 15.
        epsilon: smoothness of the codes.
        num_iterations: of Sinkhorn-Knopp.
        axis_name: axis of `jax.pmap` or `jax.shard_map` over which the batch is split.

    Returns:
        Float32 codes of the batch, `[batch, globals, prototypes]`; each sums to 1.

    Raises:
        ValueError: as `ops.sinkhorn`.

    Reference: Caron et al. 2020, arXiv:2006.09882, section 3.1, "Working with small batches".
    """
    batch = scores.shape[0]
    sharing = None
    if queued is not None:
        valid = jnp.ones(queued.shape[0], bool) if where is None else where
        sharing = jnp.concatenate([jnp.ones(batch, bool), valid])
        scores = jnp.concatenate([scores, queued])

    def codes_of_view(view_scores: Array) -> Array:
        return ops.sinkhorn(
            view_scores,
            epsilon=epsilon,
            num_iterations=num_iterations,
            where=sharing,
            axis_name=axis_name,
        )

    return jax.vmap(codes_of_view, in_axes=1, out_axes=1)(scores)[:batch]


def _check_codes_fit(scores: Array, codes: Array) -> None:
    fits = scores.ndim == codes.ndim == 3 and (scores.shape[0], scores.shape[2]) == codes.shape[::2]
    if not fits or scores.shape[1] < 2 or codes.shape[1] > scores.shape[1]:
        raise ValueError(
            "expected scores [batch, views, prototypes] of at least 2 views and codes of the first of them, "
            f"[batch, globals, prototypes], got {scores.shape} and {codes.shape}"
        )
