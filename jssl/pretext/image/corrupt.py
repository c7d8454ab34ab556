"""What a denoising autoencoder has to undo, beside `gaussian_noise`: pixels or whole blocks left out."""

import jax
import jax.numpy as jnp

from jssl.core import Transform
from jssl.pretext.image.checks import check_image, check_probability, check_range
from jssl.pretext.image.geometry import draw_box


def masking_noise(*, probability: float = 0.25, value: float = 0.0) -> Transform:
    """Set each pixel, with all its channels, to `value` with a probability, whatever the others are.

    Reference: Vincent et al. 2008, "Extracting and composing robust features with denoising autoencoders",
    section 2.3.
    """
    check_probability(probability, "masking_noise")

    def transform(key, x):
        check_image(x, "masking_noise")
        hidden = jax.random.bernoulli(key, probability, (*x.shape[:2], 1))
        return jnp.where(hidden, jnp.asarray(value, x.dtype), x)

    return transform


def erase_blocks(
    *,
    num_blocks: int = 5,
    scale: tuple[float, float] = (0.02, 0.0625),
    ratio: tuple[float, float] = (0.5, 2.0),
    value: float = 0.5,
) -> Transform:
    """Fill several random rectangles with a value: what in-painting has to fill in.

    Args:
        num_blocks: number of rectangles; they may overlap.
        scale: bounds of a rectangle's share of the image's area, in (0, 1]. The paper's blocks cover up to
            1/16 each, and together up to a quarter.
        ratio: bounds of its aspect ratio width / height.
        value: what fills them, a gray in [0, 1].

    Raises:
        ValueError: for fewer than one block, or bounds that are not positive and ascending.

    Reference: Pathak et al. 2016, arXiv:1604.07379, section 3.3, "random block".
    """
    if num_blocks < 1:
        raise ValueError(f"erase_blocks expected 1 block or more, got {num_blocks}.")
    check_range(scale, "erase_blocks's scale", low=0.0, high=1.0)
    check_range(ratio, "erase_blocks's ratio", low=0.0)

    def inside(key, height, width):
        (top, left, box_height, box_width), _ = draw_box(key, (height, width), scale, ratio)
        rows, columns = jnp.arange(height)[:, None] - top, jnp.arange(width)[None, :] - left
        return (rows >= 0) & (rows < box_height) & (columns >= 0) & (columns < box_width)

    def transform(key, x):
        check_image(x, "erase_blocks")
        blocks = jax.vmap(lambda own: inside(own, *x.shape[:2]))(jax.random.split(key, num_blocks))
        return jnp.where(jnp.any(blocks, axis=0)[..., None], jnp.asarray(value, x.dtype), x)

    return transform
