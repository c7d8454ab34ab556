"""Regression losses: predict the embedding of another view, whatever its length."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Scalar

from jssl import ops
from jssl.losses.checks import check_views


def cosine_regression(
    p: Float[Array, "batch dim"], z: Float[Array, "batch dim"], *, axis_name: str | None = None
) -> Scalar:
    """BYOL's loss: the squared distance between prediction and target, both of length 1.

    `L = 1/N sum_i || p_i / ||p_i|| - z_i / ||z_i|| ||^2 = 2 - 2/N sum_i cos(p_i, z_i)`

    Not symmetric: the published loss is the sum of both orders of the views.

    Args:
        p: predictions from one view, `[batch, dim]`; they need not be normalised.
        z: targets from the other view; row i is the target of row i of `p`. No gradient flows here.
        axis_name: axis of `jax.pmap` or `jax.shard_map` over which the batch is split. Gradients: see
            `jssl.ops.devices`.

    Returns:
        Mean over the batch in [0, 4], a float32 scalar; 2 for unrelated directions.

    Raises:
        ValueError: if the arrays differ in shape or are not `[batch, dim]`.

    Reference: Grill et al. 2020, arXiv:2006.07733, equation 2.
    """
    unit_p, unit_z = _directions(p, z)
    return ops.mean(jnp.sum((unit_p - unit_z) ** 2, axis=1), axis_name=axis_name)


def negative_cosine(
    p: Float[Array, "batch dim"], z: Float[Array, "batch dim"], *, axis_name: str | None = None
) -> Scalar:
    """SimSiam's loss: the negative cosine between prediction and target.

    `D = -1/N sum_i cos(p_i, z_i)`, which is `cosine_regression / 2 - 1`

    Not symmetric: the published loss is the mean of both orders of the views.

    Args, Raises: as for `cosine_regression`.

    Returns:
        Mean over the batch in [-1, 1], a float32 scalar.

    Reference: Chen and He 2020, arXiv:2011.10566, equations 1 and 3.
    """
    unit_p, unit_z = _directions(p, z)
    return -ops.mean(jnp.sum(unit_p * unit_z, axis=1), axis_name=axis_name)


def _directions(p: Array, z: Array) -> tuple[Array, Array]:
    check_views(p, z)
    unit_p, unit_z = (ops.l2_normalize(ops.at_least_float32(x)) for x in (p, z))
    return unit_p, jax.lax.stop_gradient(unit_z)
