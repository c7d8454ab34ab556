"""Losses against redundancy: each dimension of an embedding varies, and none repeats another."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Scalar

from jssl import ops
from jssl.losses.checks import check_views


class BarlowTwinsTerms(NamedTuple):
    """`sum_i (1 - C_ii)^2` and `sum_{i != j} C_ij^2`."""

    invariance: Scalar
    redundancy: Scalar


class VICRegTerms(NamedTuple):
    """Mean squared distance of the views, hinge on the standard deviations, squared covariances."""

    invariance: Scalar
    variance: Scalar
    covariance: Scalar


def barlow_twins(
    z_a: Float[Array, "batch dim"],
    z_b: Float[Array, "batch dim"],
    *,
    redundancy_weight: float = 5e-3,
    epsilon: float = 1e-5,
    axis_name: str | None = None,
) -> Scalar:
    """Barlow Twins: the correlations between the dimensions of two views are those of the identity.

    `L = sum_i (1 - C_ii)^2 + lambda sum_{i != j} C_ij^2`, with
    `C_ij = 1/N sum_n a_ni b_nj` of embeddings standardised over the batch.

    Args:
        z_a: embeddings of one view, `[batch, dim]`.
        z_b: embeddings of the other view; row i is the partner of row i of `z_a`.
        redundancy_weight: lambda.
        epsilon: added to the variances, as in the published batch norm.
        axis_name: axis of `jax.pmap` or `jax.shard_map` over which the batch is split; means, variances and
            correlations are those of the global batch. Gradients: see `jssl.ops.devices`.

    Returns:
        The sum over dimensions and pairs of them, a float32 scalar of about `dim` at the start.

    Raises:
        ValueError: if the views differ in shape or are not `[batch, dim]`.

    Reference: Zbontar et al., 2021, arXiv 2103.03230, equations 1 and 2.
    """
    terms = barlow_twins_terms(z_a, z_b, epsilon=epsilon, axis_name=axis_name)
    return terms.invariance + redundancy_weight * terms.redundancy


def barlow_twins_terms(
    z_a: Float[Array, "batch dim"],
    z_b: Float[Array, "batch dim"],
    *,
    epsilon: float = 1e-5,
    axis_name: str | None = None,
) -> BarlowTwinsTerms:
    """The two terms of `barlow_twins`, unweighted."""
    check_views(z_a, z_b)
    a, b = (_standardize(z, epsilon, axis_name) for z in (z_a, z_b))
    correlations = _mean_products(a, b, axis_name)
    return BarlowTwinsTerms(
        invariance=jnp.sum((1 - jnp.diagonal(correlations)) ** 2),
        redundancy=jnp.sum(_off_diagonal(correlations) ** 2),
    )


def vicreg(
    z_a: Float[Array, "batch dim"],
    z_b: Float[Array, "batch dim"],
    *,
    invariance_weight: float = 25.0,
    variance_weight: float = 25.0,
    covariance_weight: float = 1.0,
    epsilon: float = 1e-4,
    axis_name: str | None = None,
) -> Scalar:
    """VICReg: views agree, each dimension keeps a standard deviation of 1, dimensions are uncorrelated.

    `L = lambda s(A, B) + mu (v(A) + v(B)) / 2 + nu (c(A) + c(B))`, with
    `s = mean (A - B)^2`, `v(Z) = 1/d sum_j max(0, 1 - sqrt(var_j + epsilon))`,
    `c(Z) = 1/d sum_{i != j} cov_ij^2`.

    Args:
        z_a: embeddings of one view, `[batch, dim]`; they are not normalised.
        z_b: embeddings of the other view; row i is the partner of row i of `z_a`.
        invariance_weight: lambda.
        variance_weight: mu; twice the number that a recipe of solo-learn names, which does not halve.
        covariance_weight: nu.
        epsilon: added to the variances.
        axis_name: axis of `jax.pmap` or `jax.shard_map` over which the batch is split; variances and
            covariances are those of the global batch. Gradients: see `jssl.ops.devices`.

    Returns:
        A float32 scalar.

    Raises:
        ValueError: if the views differ in shape, are not `[batch, dim]`, or the global batch has one example.

    Deviation: as the published code, which takes the mean over dimensions in s and half of each v, where
    the paper's equations 5 and 6 have sums.

    Reference: Bardes et al., 2021, arXiv 2105.04906, equations 1 to 6.
    """
    terms = vicreg_terms(z_a, z_b, epsilon=epsilon, axis_name=axis_name)
    return (
        invariance_weight * terms.invariance
        + variance_weight * terms.variance
        + covariance_weight * terms.covariance
    )


def vicreg_terms(
    z_a: Float[Array, "batch dim"],
    z_b: Float[Array, "batch dim"],
    *,
    epsilon: float = 1e-4,
    axis_name: str | None = None,
) -> VICRegTerms:
    """The three terms of `vicreg`, unweighted."""
    check_views(z_a, z_b)
    num = _global_size(z_a, axis_name)
    if num < 2:
        raise ValueError("expected at least 2 examples, got a global batch of 1: it has no variance")
    a, b = (_centered(z, axis_name) for z in (z_a, z_b))
    # Unbiased, as in the published code.
    covariances = num / (num - 1) * jnp.stack([_mean_products(z, z, axis_name) for z in (a, b)])
    variances = jnp.diagonal(covariances, axis1=1, axis2=2)
    return VICRegTerms(
        invariance=ops.mean(
            (ops.at_least_float32(z_a) - ops.at_least_float32(z_b)) ** 2, axis_name=axis_name
        ),
        variance=jnp.mean(jax.nn.relu(1 - jnp.sqrt(variances + epsilon))),
        covariance=jnp.sum(_off_diagonal(covariances) ** 2) / z_a.shape[1],
    )


def _standardize(z: Array, epsilon: float, axis_name: str | None) -> Float[Array, "batch dim"]:
    centered = _centered(z, axis_name)
    variance = _mean_rows(centered**2, axis_name)
    return centered / jnp.sqrt(variance + epsilon)


def _centered(z: Array, axis_name: str | None) -> Float[Array, "batch dim"]:
    z = ops.at_least_float32(z)
    return z - _mean_rows(z, axis_name)


def _mean_rows(z: Array, axis_name: str | None) -> Float[Array, "1 dim"]:
    mean = jnp.mean(z, axis=0, keepdims=True)
    return mean if axis_name is None else jax.lax.pmean(mean, axis_name)


def _mean_products(a: Array, b: Array, axis_name: str | None) -> Float[Array, "dim dim"]:
    """`1/N sum_n a_ni b_nj` over the global batch, in full float32."""
    products = jnp.matmul(a.T, b, precision=jax.lax.Precision.HIGHEST) / a.shape[0]
    return products if axis_name is None else jax.lax.pmean(products, axis_name)


def _off_diagonal(x: Float[Array, "*views dim dim"]) -> Float[Array, "*views dim dim"]:
    diagonal = jnp.broadcast_to(jnp.eye(x.shape[-1], dtype=bool), x.shape)
    return jnp.where(diagonal, 0.0, x)


def _global_size(z: Array, axis_name: str | None) -> int:
    return len(z) * (1 if axis_name is None else jax.lax.axis_size(axis_name))
