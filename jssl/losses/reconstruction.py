"""Reconstruction losses: predict what was hidden."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Scalar, Shaped

from jssl import ops
from jssl.losses.checks import check_tokens


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
    check_tokens(prediction, target, mask)
    target = normalize_patches(target) if normalize else ops.at_least_float32(target)
    errors = jnp.mean((ops.at_least_float32(prediction) - target) ** 2, axis=-1)
    return ops.masked_mean(errors, mask, axis_name=axis_name)


def masked_l1(
    prediction: Float[Array, "batch n p"],
    target: Float[Array, "batch n p"],
    mask: Shaped[Array, "batch n"],
    *,
    axis_name: str | None = None,
) -> Scalar:
    """SimMIM's loss: the mean absolute error of the masked tokens.

    `L = 1/|M| sum_{i in M} mean_p |prediction_i - target_i|`

    Args:
        prediction: `[batch, n, p]`, p values for each of n tokens.
        target: the tokens themselves; the paper's are pixels less their mean, over their deviation.
        mask: `[batch, n]`, true or nonzero for tokens that were hidden; only they count.
        axis_name: as for `masked_reconstruction`.

    Returns:
        Mean over the masked tokens of the whole batch, a float32 scalar; 0 if none is masked.

    Raises:
        ValueError: if prediction and target differ in shape, or the mask does not fit their tokens.

    Reference: Xie et al. 2021, arXiv:2111.09886, equation 1.
    """
    check_tokens(prediction, target, mask)
    errors = jnp.abs(ops.at_least_float32(prediction) - ops.at_least_float32(target))
    return ops.masked_mean(jnp.mean(errors, axis=-1), mask, axis_name=axis_name)


def mean_squared_error(
    prediction: Float[Array, "*shape"], target: Float[Array, "*shape"], *, axis_name: str | None = None
) -> Scalar:
    """An autoencoder's loss: `L = mean (prediction - target)^2` over all values, a float32 scalar.

    Args:
        prediction: of any shape, which begins with the batch.
        target: of the same shape.
        axis_name: axis of `jax.pmap` or `jax.shard_map` over which the batch is split.

    Raises:
        ValueError: if the shapes differ.
    """
    if prediction.shape != target.shape:
        raise ValueError(
            f"expected prediction and target of one shape, got {prediction.shape} and {target.shape}"
        )
    errors = (ops.at_least_float32(prediction) - ops.at_least_float32(target)) ** 2
    return ops.mean(errors, axis_name=axis_name)


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
