"""MSN: views of which tokens were dropped are assigned to the prototypes of the whole view."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Scalar

from jssl import ops
from jssl.losses.checks import check_temperature


def msn(
    anchors: Float[Array, "batch views prototypes"],
    targets: Float[Array, "batch prototypes"],
    *,
    temperature: float | Float[Array, ""] = 0.1,
    mean_entropy_weight: float = 1.0,
    entropy_weight: float = 0.0,
    axis_name: str | None = None,
) -> Scalar:
    """MSN's loss: each anchor predicts the target's assignment, and all prototypes are used on average.

    `L = mean_{n, m} H(p+_n, p_{n, m}) + a (log K - H(mean_{n, m} p)) + b mean_{n, m} H(p_{n, m})`, where
    `p = softmax(anchors / t)`

    Args:
        anchors: cosines of the anchor views to the prototypes, `[batch, views, prototypes]`.
        targets: probabilities of the target view, `[batch, prototypes]`, by `msn_targets`; no gradient flows
            here.
        temperature: of the anchors, above 0.
        mean_entropy_weight: a, of the regulariser that spreads the mean prediction over all prototypes.
        entropy_weight: b, of the mean entropy of a prediction; above 0 it sharpens the predictions.
        axis_name: axis of `jax.pmap` or `jax.shard_map` over which the batch is split; the mean prediction is
            then that of the global batch, and gradients follow the convention of `jssl.ops.devices`.

    Returns:
        A float32 scalar; the regulariser is 0 where the mean prediction is uniform, and never below.

    Raises:
        ValueError: if the targets do not fit the anchors, or the temperature is not above 0.

    Deviation: the constant log K, as in the published implementation.

    Reference: Assran et al., 2022, arXiv 2204.07141, equation 1.
    """
    if anchors.ndim != 3 or targets.shape != anchors.shape[::2]:
        raise ValueError(
            "expected cosines of anchors [batch, views, prototypes] and targets [batch, prototypes], got "
            f"{anchors.shape} and {targets.shape}"
        )
    check_temperature(temperature)
    log_p = jax.nn.log_softmax(ops.at_least_float32(anchors) / temperature, axis=-1)
    p = jnp.exp(log_p)
    targets = jax.lax.stop_gradient(ops.at_least_float32(targets))
    prediction = ops.mean(-jnp.sum(targets[:, None] * log_p, axis=-1), axis_name=axis_name)
    entropy = ops.mean(-jnp.sum(p * log_p, axis=-1), axis_name=axis_name)
    mean_p = jnp.mean(p, axis=(0, 1))
    mean_p = mean_p if axis_name is None else jax.lax.pmean(mean_p, axis_name)
    # Where a mean underflows to 0, the plain logarithm has no gradient.
    log_mean_p = jnp.log(jnp.maximum(mean_p, jnp.finfo(mean_p.dtype).tiny))
    unused = jnp.log(mean_p.size) + jnp.sum(mean_p * log_mean_p)
    return prediction + mean_entropy_weight * unused + entropy_weight * entropy


def msn_targets(
    targets: Float[Array, "batch prototypes"],
    *,
    temperature: float | Float[Array, ""] = 0.1,
    sharpening: float | Float[Array, ""] = 0.25,
    num_iterations: int = 3,
    axis_name: str | None = None,
) -> Float[Array, "batch prototypes"]:
    """MSN's assignments of the target views, sharpened and shared out over the prototypes, without gradient.

    `p_k^(1/T) / sum_j p_j^(1/T)` for `p = softmax(targets / t)`, then Sinkhorn-Knopp.

    Args:
        targets: cosines of the target views to the prototypes.
        temperature: t, above 0, the same as for the anchors.
        sharpening: T, above 0; below 1 it sharpens, and so keeps the prediction from being uniform.
        num_iterations: of Sinkhorn-Knopp; 0 leaves it out, as in the paper's equation.
        axis_name: axis of `jax.pmap` or `jax.shard_map` over which the batch is split.

    Returns:
        Float32 probabilities; each row sums to 1.

    Raises:
        ValueError: if a temperature is not above 0, or the number of iterations is below 0.

    Reference: Assran et al., 2022, arXiv 2204.07141, section 3 and appendix C.
    """
    check_temperature(temperature)
    check_temperature(sharpening)
    if num_iterations < 0:
        raise ValueError(f"expected num_iterations of 0 or more, got {num_iterations}")
    targets = jax.lax.stop_gradient(ops.at_least_float32(targets))
    log_p = jax.nn.log_softmax(targets / temperature / sharpening, axis=-1)
    if num_iterations == 0:
        return jnp.exp(log_p)
    return ops.sinkhorn(log_p, epsilon=1.0, num_iterations=num_iterations, axis_name=axis_name)
