"""Smooth L1: a square near 0, a straight line beyond, for targets that are another network's features."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Scalar, Shaped

from jssl import ops
from jssl.losses.checks import check_tokens


def smooth_l1(
    prediction: Float[Array, "batch n p"],
    target: Float[Array, "batch n p"],
    mask: Shaped[Array, "batch n"] | None = None,
    *,
    beta: float = 1.0,
    axis_name: str | None = None,
) -> Scalar:
    """Regression to features, as data2vec (its equation 2) and I-JEPA have it.

    `l(d) = d^2 / (2 beta)  if |d| <= beta,  |d| - beta / 2  otherwise`, `d = prediction - target`

    `L = 1/|M| sum_{i in M} mean_p l(d_ip)`

    Args:
        prediction: `[batch, n, p]`, p features for each of n tokens.
        target: of the same shape. Its gradient is not stopped here.
        mask: `[batch, n]`, true or nonzero for the tokens that count; None: all.
        beta: where the square ends, above 0.
        axis_name: axis of `jax.pmap` or `jax.shard_map` over which the batch is split; it matters where
            devices mask different numbers of tokens. Gradients: see `jssl.ops.devices`.

    Returns:
        Mean over the tokens that count, a float32 scalar; 0 if there is none.

    Raises:
        ValueError: if prediction and target differ in shape, the mask does not fit their tokens, or beta is
            not above 0.

    Reference: Girshick 2015, arXiv:1504.08083, equation 3; Baevski et al. 2022, arXiv:2202.03555, equation 2.
    """
    if not beta > 0:
        raise ValueError(f"expected beta above 0, got {beta}: use losses.masked_l1 for a beta of 0")
    mask = jnp.ones(target.shape[:2], bool) if mask is None else mask
    check_tokens(prediction, target, mask)
    d = jnp.abs(ops.at_least_float32(prediction) - ops.at_least_float32(target))
    errors = jnp.where(d <= beta, d**2 / (2 * beta), d - beta / 2)
    return ops.masked_mean(jnp.mean(errors, axis=-1), mask, axis_name=axis_name)
