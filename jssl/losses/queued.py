"""Contrastive losses with a queue of earlier embeddings, which are negatives or possible positives."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Scalar

from jssl import ops
from jssl.losses.checks import check_temperature, check_views
from jssl.losses.contrastive import info_nce


def moco(
    q: Float[Array, "batch dim"],
    k: Float[Array, "batch dim"],
    queue: Float[Array, "rows dim"],
    *,
    temperature: float | Float[Array, ""],
    axis_name: str | None = None,
) -> Scalar:
    """MoCo's loss: each query finds its own key among the keys of earlier batches.

    `L = -1/N sum_i log( e(q_i, k_i) / (e(q_i, k_i) + sum_j e(q_i, queue_j)) )`, `e = exp(cos / t)`

    Args:
        q: queries by the online network, `[batch, dim]`; they need not be normalised.
        k: keys by the averaged network, row i of the same example as row i of `q`; no gradient flows here.
        queue: keys of other examples, the only negatives; no gradient flows here.
        temperature: above 0; 0.07 in MoCo, 0.2 in v2.
        axis_name: axis of `jax.pmap` or `jax.shard_map` over which the batch is split; the queue is the
            same on all devices. Gradients: see `jssl.ops.devices`.

    Returns:
        Mean over the queries, a float32 scalar; log(rows + 1) for a uniform guess.

    Raises:
        ValueError: if the shapes don't fit, or the temperature is not above 0.

    Reference: He et al. 2019, arXiv:1911.05722, equation 1 and algorithm 1.
    """
    check_views(q, k)
    _check_queue(q, queue)
    check_temperature(temperature)
    k, queue = jax.lax.stop_gradient((k, queue))
    unit_q, unit_k = (ops.l2_normalize(ops.at_least_float32(x)) for x in (q, k))
    positives = jnp.sum(unit_q * unit_k, axis=1, keepdims=True)
    logits = jnp.concatenate([positives, ops.cosine_similarity(q, queue)], axis=1) / temperature
    own = jnp.zeros(len(q), jnp.int32)
    return ops.mean(ops.cross_entropy(logits, own), axis_name=axis_name)


def nnclr(
    z: Float[Array, "batch dim"],
    p: Float[Array, "batch dim"],
    queue: Float[Array, "rows dim"],
    *,
    temperature: float | Float[Array, ""],
    axis_name: str | None = None,
) -> Scalar:
    """NNCLR's loss: the nearest neighbour of one view in a queue finds the prediction from the other view.

    `L = -1/N sum_i log( exp(cos(NN(z_i), p_i) / t) / sum_j exp(cos(NN(z_i), p_j) / t) )`,
    `NN(z) = argmax_{row of queue} cos(z, row)`

    Not symmetric: the published loss is the mean of both orders of the views.

    Args:
        z: projections of one view, `[batch, dim]`, which only choose neighbours; no gradient flows here.
        p: predictions from the other view, row i of the same example as row i of `z`; the candidates.
        queue: projections of earlier examples; no gradient flows here.
        temperature: above 0; 0.1 in the paper.
        axis_name: axis of `jax.pmap` or `jax.shard_map` over which the batch is split; the candidates are
            then those of all devices, the queue is the same on all, and gradients follow the convention of
            `jssl.ops.devices`.

    Returns:
        Mean over the batch, a float32 scalar; log of the global batch's size for a uniform guess.

    Raises:
        ValueError: if the shapes don't fit, or the temperature is not above 0.

    Reference: Dwibedi et al. 2021, arXiv:2104.14548, section 3.2.
    """
    check_views(z, p)
    _check_queue(z, queue)
    z, queue = jax.lax.stop_gradient((z, queue))
    neighbours = queue[jnp.argmax(ops.cosine_similarity(z, queue), axis=1)]
    return info_nce(neighbours, p, temperature=temperature, axis_name=axis_name)


def _check_queue(z: Array, queue: Array) -> None:
    if queue.ndim != 2 or queue.shape[1] != z.shape[1] or not len(queue):
        raise ValueError(
            f"expected a queue [rows, {z.shape[1]}] of embeddings like the batch's, got {queue.shape}: pass "
            "the `rows` of an ops.Queue"
        )
