"""KoLeo: embeddings spread over the sphere, because each one is pushed from its nearest neighbour."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Scalar

from jssl import ops


def koleo(z: Float[Array, "batch dim"], *, epsilon: float = 1e-8, axis_name: str | None = None) -> Scalar:
    """KoLeo: the negated Kozachenko-Leonenko entropy, large where embeddings have near neighbours.

    `L = -1/N sum_i log(min_{j != i} ||z_i - z_j||)`, for unit vectors

    Args:
        z: embeddings of one view of each example, `[batch, dim]`; they need not be normalised.
        epsilon: added to the differences and to the distances, so that equal embeddings have a finite loss.
        axis_name: axis of `jax.pmap` or `jax.shard_map` over which the batch is split; neighbours are then
            sought among all devices, and gradients follow the convention of `jssl.ops.devices`.

    Returns:
        Mean over the batch, a float32 scalar, below 0 where neighbours are further apart than 1.

    Raises:
        ValueError: if z is not `[batch, dim]`, or the global batch has fewer than 2 examples.

    Deviation: DINOv2 seeks neighbours within the batch of one device, here it is the global batch.

    Reference: Sablayrolles et al., 2018, arXiv 1806.03198, equation 2; Oquab et al., 2023, arXiv 2304.07193,
    section 4.
    """
    if z.ndim != 2:
        raise ValueError(f"expected embeddings of one view, [batch, dim], got {z.shape}")
    z = ops.l2_normalize(ops.at_least_float32(z), epsilon=epsilon)
    candidates = ops.gather(z, axis_name)
    if len(candidates) < 2:
        raise ValueError("expected at least 2 examples, got a global batch of 1: it has no neighbour")
    itself = ops.global_rows(len(z), axis_name)[:, None] == jnp.arange(len(candidates))[None, :]
    nearest = jnp.argmax(jnp.where(itself, -jnp.inf, ops.cosine_similarity(z, candidates)), axis=1)
    distance = jnp.sqrt(jnp.sum((z - candidates[nearest] + epsilon) ** 2, axis=1))
    return ops.mean(-jnp.log(distance + epsilon), axis_name=axis_name)
