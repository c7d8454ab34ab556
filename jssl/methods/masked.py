"""What masked methods share: tokens cut and hidden, how much of the hidden was predicted, pictures of it."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, Scalar

from jssl import losses, ops
from jssl.core import Tokenizer, Tokens, example_keys
from jssl.methods.parts import as_input
from jssl.pretext.masks import Mask, as_bool, random_mask

Moments: TypeAlias = float | Sequence[float]
"""A mean or standard deviation of a token's values: one for all, or one for each channel, the last axis."""

MaskFunction: TypeAlias = Callable[[PRNGKeyArray, int], Any]
"""`(key, number of tokens) -> Mask` of static counts."""


def cut(tokenizer: Tokenizer, x: Array, mean: Moments, std: Moments) -> Tokens:
    """The tokens of each example, their values less the mean, over the standard deviation."""
    tokens = jax.vmap(tokenizer)(as_input(x))
    return tokens._replace(values=(tokens.values - _each(mean, tokens)) / _each(std, tokens))


def restore(values: Float[Array, "*batch n p"], mean: Moments, std: Moments) -> Float[Array, "*batch n p"]:
    """Standardised values as the tokenizer gave them."""
    return values * _each(std, values) + _each(mean, values)


def check_moments(std: Moments) -> None:
    """A standard deviation above 0."""
    if np.any(np.asarray(std) <= 0):
        raise ValueError(f"expected std above 0, got {std}")


def take(tokens: Tokens, index: Int[Array, "batch m"]) -> Tokens:
    """Of each example the tokens at its own indices."""
    return jax.tree.map(lambda x: take_rows(x, index), tokens)


def take_rows(x: Float[Array, "batch n d"], index: Int[Array, "batch m"]) -> Float[Array, "batch m d"]:
    """Of each example the rows at its own indices."""
    return jnp.take_along_axis(x, index[..., None], axis=1)


def masking(mask: MaskFunction | None, ratio: float) -> MaskFunction:
    """The function given, or random masks of the ratio."""
    if mask is not None:
        return mask
    if not 0 < ratio < 1:
        raise ValueError(f"expected mask_ratio in (0, 1), got {ratio}")
    return partial(random_mask, ratio=ratio)


def draw(mask: MaskFunction, key: PRNGKeyArray, tokens: Tokens) -> Any:
    """A mask for each example, by a key of its own."""
    batch, n = tokens.values.shape[:2]
    return jax.vmap(lambda own: mask(own, n))(example_keys(key, batch))


def hidden(masks: Mask) -> Bool[Array, "batch n"]:
    """True where an example's token is hidden."""
    return jax.vmap(as_bool)(masks)


def explained(
    prediction: Float[Array, "batch n p"], target: Float[Array, "batch n p"], mask: Bool[Array, "batch n"]
) -> Scalar:
    """The share of the hidden values' variance that is predicted: 0 for their mean, 1 for themselves.

    `1 - sum (prediction - target)^2 / sum (target - mean of target)^2` over masked tokens.
    """
    prediction, target = (ops.at_least_float32(jax.lax.stop_gradient(x)) for x in (prediction, target))
    weight = mask[..., None].astype(jnp.float32)
    mean = jnp.sum(weight * target, axis=(0, 1), keepdims=True) / jnp.maximum(jnp.sum(weight), 1)
    variance = jnp.sum(weight * (target - mean) ** 2)
    return 1 - jnp.sum(weight * (prediction - target) ** 2) / jnp.maximum(variance, 1e-6)


def masked_rows(values: Float[Array, "batch n p"], mask: Bool[Array, "batch n"]) -> Float[Array, "batch n p"]:
    """The tokens, with the example's mean in place of those that are hidden."""
    blank = jnp.broadcast_to(jnp.mean(values, axis=(1, 2), keepdims=True), values.shape)
    return jnp.where(mask[..., None], blank, values)


def target_of(values: Float[Array, "batch n p"], normalize: bool) -> Float[Array, "batch n p"]:
    """What is to be predicted of each token: its values, or those less their mean, over their deviation."""
    return losses.normalize_patches(values) if normalize else values


def picture_rows(
    prediction: Float[Array, "batch n p"],
    values: Float[Array, "batch n p"],
    mask: Bool[Array, "batch n"],
    normalize: bool,
) -> Float[Array, "batch 3 n p"]:
    """Masked example, predictions of the masked tokens among the visible ones, original.

    Predictions of a normalized target get the mean and the deviation of their token back.
    """
    if normalize:
        scale = jnp.std(values, axis=-1, keepdims=True, ddof=1)
        prediction = prediction * scale + jnp.mean(values, axis=-1, keepdims=True)
    filled = jnp.where(mask[..., None], prediction, values)
    return jnp.stack([masked_rows(values, mask), filled, values], axis=1)


def pictures(
    untokenize: Callable[..., Array], rows: Float[Array, "batch columns n p"], shape: tuple[int, ...]
) -> Float[Array, "batch columns *shape"]:
    """Each row of tokens as an example of the shape, in [0, 1]."""
    return jnp.clip(jax.vmap(jax.vmap(partial(untokenize, shape=shape)))(rows), 0.0, 1.0)


def _each(moment: Moments, tokens: Tokens | Array) -> Array:
    """The moment of each of a token's values, whose last axis is that of the channels."""
    values = tokens.values if isinstance(tokens, Tokens) else tokens
    channels, p = np.atleast_1d(np.asarray(moment, np.float32)), values.shape[-1]
    if p % len(channels):
        raise ValueError(f"expected a mean and std for each channel of {p} values, got {len(channels)}")
    return jnp.asarray(np.tile(channels, p // len(channels)).reshape((1,) * (values.ndim - 1) + (p,)))
