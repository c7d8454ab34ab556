"""Gaussian blur as two passes of shifted sums."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jssl.core import Transform
from jssl.pretext.compose import random_apply
from jssl.pretext.fence import fenced
from jssl.pretext.image.checks import check_image, check_range


def blur(
    x: Float[Array, "height width channels"], sigma: Float[Array, ""] | float, kernel_size: int
) -> Float[Array, "height width channels"]:
    """Convolve with a sampled Gaussian, the image reflected at its borders (as torchvision).

    Args:
        x: image, floats.
        sigma: standard deviation in pixels, may be traced.
        kernel_size: static odd number of samples per axis; at most 2 min(height, width) - 1.

    Raises:
        ValueError: for an even kernel size, or one whose reflection the image cannot provide.
    """
    check_image(x, "blur")
    radius = kernel_size // 2
    if kernel_size % 2 == 0 or not 0 <= radius < min(x.shape[:2]):
        raise ValueError(
            f"blur expected an odd kernel size up to {2 * min(x.shape[:2]) - 1} for shape {x.shape}, "
            f"got {kernel_size}."
        )
    weights = _gaussian(sigma, radius).astype(x.dtype)
    return fenced(_convolve_across)(fenced(_convolve_down)(x, weights), weights)


def gaussian_blur(
    *, sigma: tuple[float, float] = (0.1, 2.0), kernel_size: int | None = None, probability: float = 1.0
) -> Transform:
    """Blur with a standard deviation drawn uniformly, with a probability.

    Args:
        sigma: bounds of the standard deviation in pixels.
        kernel_size: odd; None: wide enough for three standard deviations at the upper bound of `sigma` (13
            samples by default), less where the image is smaller.
        probability: of blurring at all.

    Raises:
        ValueError: for a sigma that is not positive, or an even kernel size.
    """
    check_range(sigma, "gaussian_blur's sigma", low=0.0)
    if kernel_size is not None and (kernel_size < 1 or kernel_size % 2 == 0):
        raise ValueError(f"gaussian_blur expected a positive odd kernel size, got {kernel_size}.")

    def transform(key, x):
        check_image(x, "gaussian_blur")
        radius = min(math.ceil(3 * sigma[1]), min(x.shape[:2]) - 1)
        drawn = jax.random.uniform(key, (), jnp.float32, sigma[0], sigma[1])
        return blur(x, drawn, 2 * radius + 1 if kernel_size is None else kernel_size)

    return random_apply(transform, probability=probability)


def _convolve_down(x, weights):
    """The columns convolved, of the image with reflected borders: [height, width + 2 radius, channels]."""
    radius, (height, _, channels) = len(weights) // 2, x.shape
    padded = jnp.pad(x, ((radius, radius), (radius, radius), (0, 0)), mode="reflect")
    # Rows flattened to [width * channels] keep every shifted slice contiguous, here and below.
    flat = padded.reshape(len(padded), -1)
    shifted = [flat[k : k + height] for k in range(len(weights))]
    return _weighted_sum(weights, shifted).reshape(height, -1, channels)


def _convolve_across(x, weights):
    """The rows convolved, without their borders."""
    height, padded_width, channels = x.shape
    width = padded_width - len(weights) + 1
    flat = x.reshape(height, -1)
    shifted = [flat[:, channels * k : channels * (k + width)] for k in range(len(weights))]
    return _weighted_sum(weights, shifted).reshape(height, width, channels)


def _weighted_sum(weights, arrays):
    total = weights[0] * arrays[0]
    for weight, array in zip(weights[1:], arrays[1:], strict=True):
        total += weight * array
    return total


def _gaussian(sigma, radius):
    weights = jnp.exp(-0.5 * jnp.square(jnp.arange(-radius, radius + 1) / sigma))
    return weights / jnp.sum(weights)
