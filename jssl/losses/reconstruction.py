"""Reconstruction losses: predict what was hidden."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Scalar, Shaped

from jssl import ops


def masked_reconstruction(
    prediction: Float[Array, "batch n p"],
    target: Float[Array, "batch n p"],
    mask: Shaped[Array, "batch n"],
    *,
    normalize: bool = False,
    axis_name: str | None = None,
) -> Scalar:
    """MAE's loss: the mean squared error of the masked tokens.

    `L = 1/|M| sum_{i in M} mean_p (prediction_i - target_i)^2`

    Args:
        prediction: `[batch, n, p]`, p values for each of n tokens.
        target: the tokens themselves, such as patches of pixels in [0, 1].
        mask: `[batch, n]`, true or nonzero for tokens that were hidden; only they count.
        normalize: standardise each target token by `normalize_patches` first.
        axis_name: axis of `jax.pmap` or `jax.shard_map` over which the batch is split; it matters where
            devices mask different numbers of tokens. Gradients: see `jssl.ops.devices`.

    Returns:
        Mean over the masked tokens of the whole batch, a float32 scalar; 0 if none is masked.

    Raises:
        ValueError: if prediction and target differ in shape, or the mask does not fit their tokens.

    Reference: He et al. 2021, arXiv:2111.06377, section 3.
    """
    if prediction.ndim != 3 or prediction.shape != target.shape or mask.shape != target.shape[:2]:
        raise ValueError(
            "expected prediction and target [batch, n, p] and mask [batch, n], got "
            f"{prediction.shape}, {target.shape} and {mask.shape}: predict every token, masked or not"
        )
    target = normalize_patches(target) if normalize else ops.at_least_float32(target)
    errors = jnp.mean((ops.at_least_float32(prediction) - target) ** 2, axis=-1)
    return ops.masked_mean(errors, mask, axis_name=axis_name)


def normalize_patches(
    patches: Float[Array, "*batch p"], *, epsilon: float = 1e-6
) -> Float[Array, "*batch p"]:
    """Standardise each patch by its own values: `(x - mean) / sqrt(variance + epsilon)`, in float32.

    The variance is unbiased (divided by p - 1), as in the published implementation.

    Raises:
        ValueError: if a patch has fewer than 2 values.

    Reference: He et al. 2021, arXiv:2111.06377, section 3, "Reconstruction target".
    """
    if patches.shape[-1] < 2:
        raise ValueError(f"expected patches of at least 2 values, got shape {patches.shape}")
    patches = ops.at_least_float32(patches)
    mean = jnp.mean(patches, axis=-1, keepdims=True)
    variance = jnp.var(patches, axis=-1, keepdims=True, ddof=1)
    return (patches - mean) / jnp.sqrt(variance + epsilon)
