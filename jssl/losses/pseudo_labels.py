"""Losses of methods that label their examples themselves: the cluster of an example is its class."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Scalar

from jssl import ops
from jssl.losses.checks import check_temperature


def pseudo_label(
    scores: Float[Array, "batch *views clusters"],
    labels: Int[Array, " batch"],
    *,
    temperature: float | Float[Array, ""] = 1.0,
    weights: Float[Array, " clusters"] | None = None,
    axis_name: str | None = None,
) -> Scalar:
    """Each view of an example predicts the cluster of the example.

    `L = -mean_{n, v} w_{y_n} log softmax(scores_{n, v} / t)_{y_n}`, over the examples that have a label

    Args:
        scores: logits, or cosines to prototypes, `[batch, clusters]` or `[batch, views, clusters]`.
        labels: the cluster of each example; negative: it has none yet and does not count.
        temperature: above 0.
        weights: of each cluster; `n / (clusters * size)` makes all clusters count alike, as if examples were
            drawn evenly from the clusters.
        axis_name: axis of `jax.pmap` or `jax.shard_map` over which the batch is split. Gradients: see
            `jssl.ops.devices`.

    Returns:
        Mean over labelled examples and views, a float32 scalar; 0 if none has a label.

    Raises:
        ValueError: if labels or weights do not fit the scores, or the temperature is not above 0.

    References: Caron et al., 2018, arXiv 1807.05520, equation 1 and section 3.3 (DeepCluster); Caron et al.,
    2020, arXiv 2006.09882, appendix D (DeepCluster-v2).
    """
    _check_labels_fit(scores, labels, weights)
    check_temperature(temperature)
    labelled, known = labels >= 0, jnp.maximum(labels, 0)
    where = (len(labels),) + (1,) * (scores.ndim - 2)
    targets = jnp.broadcast_to(known.reshape(where), scores.shape[:-1])
    errors = ops.cross_entropy(ops.at_least_float32(scores) / temperature, targets)
    if weights is not None:
        errors = errors * jax.lax.stop_gradient(weights)[targets]
    return ops.masked_mean(
        errors, jnp.broadcast_to(labelled.reshape(where), errors.shape), axis_name=axis_name
    )


def _check_labels_fit(scores: Array, labels: Array, weights: Array | None) -> None:
    shape = None if weights is None else weights.shape
    if scores.ndim < 2 or scores.shape[:1] != labels.shape or shape not in (None, scores.shape[-1:]):
        raise ValueError(
            "expected scores [batch, clusters] or [batch, views, clusters], labels [batch] and weights "
            f"[clusters], got {scores.shape}, {labels.shape} and {shape}"
        )
