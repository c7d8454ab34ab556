"""TiCo: views agree, and embeddings avoid the directions in which those of all steps so far lie."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Scalar

from jssl import ops
from jssl.losses.checks import check_views


class TiCoTerms(NamedTuple):
    """`1 - mean_n cos(a_n, b_n)`, and `mean_n a_n^T C a_n` of unit vectors."""

    invariance: Scalar
    covariance: Scalar


def tico(
    z_a: Float[Array, "batch dim"],
    z_b: Float[Array, "batch dim"],
    covariance: Float[Array, "dim dim"],
    *,
    covariance_weight: float = 8.0,
    axis_name: str | None = None,
) -> Scalar:
    """TiCo: two views agree, and embeddings avoid the directions in which earlier ones lie.

    `L = 1 - 1/N sum_n a_n^T b_n + rho/N sum_n a_n^T C a_n` of unit vectors

    Not symmetric: `z_a` learns to agree with `z_b`.

    Args:
        z_a: embeddings of one view, `[batch, dim]`; they need not be normalised.
        z_b: targets from the other view; row i is the partner of row i of `z_a`. No gradient flows here.
        covariance: C, `[dim, dim]`, by `tico_covariance` of this step's `z_a`. No gradient flows here.
        covariance_weight: rho; the paper's is 8.
        axis_name: axis of `jax.pmap` or `jax.shard_map` over which the batch is split. Gradients: see
            `jssl.ops.devices`.

    Returns:
        A float32 scalar in [0, 2 + rho]; rho where all embeddings are one direction and always were.

    Raises:
        ValueError: if the arrays don't fit.

    Reference: Zhu et al., 2022, arXiv 2206.10698, equation 4.
    """
    terms = tico_terms(z_a, z_b, covariance, axis_name=axis_name)
    return terms.invariance + covariance_weight * terms.covariance


def tico_terms(
    z_a: Float[Array, "batch dim"],
    z_b: Float[Array, "batch dim"],
    covariance: Float[Array, "dim dim"],
    *,
    axis_name: str | None = None,
) -> TiCoTerms:
    """The two terms of `tico`, unweighted; the second is at least 1/dim once C has a trace of 1."""
    check_views(z_a, z_b)
    _check_fits(covariance, z_a)
    a, b = (ops.l2_normalize(ops.at_least_float32(z)) for z in (z_a, z_b))
    b, covariance = jax.lax.stop_gradient((b, covariance))
    along = jnp.matmul(a, covariance, precision=jax.lax.Precision.HIGHEST)
    return TiCoTerms(
        invariance=1 - ops.mean(jnp.sum(a * b, axis=1), axis_name=axis_name),
        covariance=ops.mean(jnp.sum(along * a, axis=1), axis_name=axis_name),
    )


def tico_covariance(
    covariance: Float[Array, "dim dim"],
    z: Float[Array, "batch dim"],
    *,
    decay: float | Float[Array, ""] = 0.9,
    axis_name: str | None = None,
) -> Float[Array, "dim dim"]:
    """The next C: `beta C + (1 - beta)/N sum_n z_n z_n^T` of unit vectors, not centred, without gradient.

    Args:
        covariance: C of the step before; starts at 0.
        z: embeddings of this step; they need not be normalised.
        decay: beta, in [0, 1).
        axis_name: axis of `jax.pmap` or `jax.shard_map` over which the batch is split.

    Returns:
        Second moments whose trace is `1 - beta^t` after t steps.

    Raises:
        ValueError: if the arrays don't fit.

    Reference: Zhu et al., 2022, arXiv 2206.10698.
    """
    _check_fits(covariance, z)
    z, covariance = jax.lax.stop_gradient((ops.l2_normalize(ops.at_least_float32(z)), covariance))
    moments = jnp.matmul(z.T, z, precision=jax.lax.Precision.HIGHEST) / len(z)
    moments = moments if axis_name is None else jax.lax.pmean(moments, axis_name)
    return (decay * covariance + (1 - decay) * moments).astype(covariance.dtype)


def _check_fits(covariance: Array, z: Array) -> None:
    if z.ndim != 2 or covariance.shape != (z.shape[1], z.shape[1]):
        raise ValueError(
            f"expected embeddings [batch, dim] and a covariance [dim, dim], got {z.shape} and "
            f"{covariance.shape}: start from zeros((dim, dim))"
        )
