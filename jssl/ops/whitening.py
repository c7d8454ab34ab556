"""Principal components of equal variance."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jssl.ops.numeric import at_least_float32


@partial(jax.jit, static_argnames=("dim", "epsilon"))
def pca_whiten(
    x: Float[Array, "n features"],
    dim: int,
    *,
    where: Bool[Array, " n"] | None = None,
    epsilon: float = 1e-5,
) -> Float[Array, "n {dim}"]:
    """The first principal components of the rows, each scaled to variance 1.

    `z = (x - mean) V / sqrt(lambda + epsilon lambda_1)`, with the largest eigenvalues `lambda` of the
    covariance and their eigenvectors `V`.

    Args:
        x: rows, which may be sharded over devices under `jax.jit`.
        dim: components kept, from 1 to the number of features.
        where: rows that count; the others are transformed too.
        epsilon: keeps components of no variance, such as those of dead features, near 0.

    Returns:
        Float32 rows, the component of the largest variance first; signs are arbitrary.

    Raises:
        ValueError: for a number of components out of range.
    """
    if not 1 <= dim <= x.shape[1]:
        raise ValueError(
            f"expected from 1 to {x.shape[1]} components of {x.shape[1]} features, got dim={dim}"
        )
    where = jnp.ones(len(x), bool) if where is None else where
    x = at_least_float32(x)
    counted = where[:, None].astype(x.dtype)
    num = jnp.maximum(jnp.sum(where), 1)
    x = x - jnp.sum(counted * x, axis=0, keepdims=True) / num
    covariance = jnp.matmul((counted * x).T, x, precision=jax.lax.Precision.HIGHEST) / num
    values, vectors = jnp.linalg.eigh(covariance)
    values, vectors = jnp.maximum(values[::-1][:dim], 0.0), vectors[:, ::-1][:, :dim]
    z = jnp.matmul(x, vectors, precision=jax.lax.Precision.HIGHEST)
    scale = jnp.sqrt(values + epsilon * values[0])
    return z / jnp.where(scale > 0, scale, 1.0)[None, :]
