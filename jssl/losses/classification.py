"""Cross-entropy of pretext tasks that name a class: a rotation, an order of tiles, a colour."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Scalar

from jssl import ops


def classification(
    logits: Float[Array, "*batch classes"],
    targets: Int[Array, "*batch"] | Float[Array, "*batch classes"],
    weights: Float[Array, "*batch"] | None = None,
    *,
    axis_name: str | None = None,
) -> Scalar:
    """The mean cross-entropy of whole-number or soft labels, each example weighed.

    `L = -1/N sum_n v_n sum_q target_nq log softmax(logits_n)_q`

    Args:
        logits: unnormalised, `[*batch, classes]`.
        targets: the number of the class, or a probability of each class; no gradient flows here.
        weights: v of each example, such as that of a rare class; None: 1. The mean is over the number of
            examples, not over their weights, as in the paper.
        axis_name: axis of `jax.pmap` or `jax.shard_map` over which the batch is split.

    Returns:
        A float32 scalar; log(number of classes) where the logits say nothing and the weights are 1.

    Raises:
        ValueError: if the shapes don't fit.

    Reference: Gidaris et al. 2018, arXiv:1803.07728, equation 3 (rotations); Zhang et al. 2016,
    arXiv:1603.08511, equation 2 (colours).
    """
    batch = logits.shape[:-1]
    if targets.shape not in (batch, logits.shape) or (weights is not None and weights.shape != batch):
        raise ValueError(
            "expected logits [*batch, classes], targets [*batch] or [*batch, classes] and weights [*batch], "
            f"got {logits.shape}, {targets.shape} and {None if weights is None else weights.shape}"
        )
    errors = ops.cross_entropy(logits, jax.lax.stop_gradient(targets))
    return ops.mean(errors if weights is None else weights * errors, axis_name=axis_name)


def classification_accuracy(
    logits: Float[Array, "*batch classes"], labels: Int[Array, "*batch"], *, axis_name: str | None = None
) -> Scalar:
    """The share of examples whose largest logit is that of their label: a metric."""
    correct = jnp.argmax(logits, axis=-1) == labels
    return ops.mean(correct.astype(jnp.float32), axis_name=axis_name)
