"""Sinkhorn-Knopp: share examples out over prototypes so that no prototype takes them all."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jssl.ops.numeric import at_least_float32


def sinkhorn(
    scores: Float[Array, "batch prototypes"],
    *,
    epsilon: float = 0.05,
    num_iterations: int = 3,
    where: Bool[Array, " batch"] | None = None,
    axis_name: str | None = None,
) -> Float[Array, "batch prototypes"]:
    """Codes of equal total weight for each prototype: the targets of SwAV, without gradient.

    `codes = batch * Diag(u) exp(scores / epsilon) Diag(v)`, where each iteration chooses `v` so that every
    prototype has weight `1 / prototypes`, then `u` so that every example has weight `1 / batch`. Computed in
    the log domain, so scores of any size are safe, where the published form overflows.

    Args:
        scores: similarity of each example to each prototype, cosines in the paper.
        epsilon: smoothness; the smaller it is, the closer the codes are to one-hot.
        num_iterations: of the two scalings.
        where: the examples that share the prototypes out. The others get codes but leave theirs unchanged.
        axis_name: axis of `jax.pmap` or `jax.shard_map` over which the batch is split.

    Returns:
        Float32 codes, `[batch, prototypes]`; each row sums to 1.

    Raises:
        ValueError: if `epsilon` is not positive or `num_iterations` is less than 1.

    Reference: Caron et al. 2020, arXiv:2006.09882, equation 5 and the pseudo-code of appendix A.
    """
    if epsilon <= 0 or num_iterations < 1:
        raise ValueError(
            f"expected epsilon above 0 and at least 1 iteration, got {epsilon} and {num_iterations}"
        )
    sharing = jnp.ones(scores.shape[0], bool) if where is None else where
    log_codes = jax.lax.stop_gradient(at_least_float32(scores)) / epsilon
    for _ in range(num_iterations):
        log_codes = log_codes - _logsumexp_over_batch(log_codes, sharing[:, None], axis_name)
        log_codes = jax.nn.log_softmax(log_codes, axis=1)
    return jnp.exp(log_codes)


def _logsumexp_over_batch(x: Array, where: Array, axis_name: str | None) -> Array:
    peak = jnp.max(x, axis=0, keepdims=True, where=where, initial=-jnp.inf)
    if axis_name is not None:
        peak = jax.lax.pmax(peak, axis_name)
    total = jnp.sum(jnp.exp(x - peak), axis=0, keepdims=True, where=where)
    if axis_name is not None:
        total = jax.lax.psum(total, axis_name)
    return peak + jnp.log(total)
