"""Random crops, flips, rotations and erasures, each beside the fixed change that it draws from."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jssl.core import Transform
from jssl.pretext.compose import random_apply
from jssl.pretext.image.checks import Size, check_image, check_range, check_size
from jssl.pretext.image.resample import Interpolation, Pixels, check_interpolation, resized_crop

Image = Float[Array, "height width channels"]
NUM_TRIES = 10


def draw_box(key, image_size, scale, ratio):
    """A random rectangle (top, left, height, width) in the image, and whether one was found.

    Area and logarithm of the aspect ratio (width / height) are uniform; of ten draws the first that fits in
    the image counts, else the largest central rectangle of an allowed ratio. The position is uniform.
    """
    uniform = jax.random.uniform(key, (2 * NUM_TRIES + 2,))
    area = _between(scale, uniform[:NUM_TRIES]) * image_size[0] * image_size[1]
    aspect = jnp.exp(_between([math.log(bound) for bound in ratio], uniform[NUM_TRIES:-2]))
    heights = jnp.round(jnp.sqrt(area / aspect)).astype(jnp.int32)
    widths = jnp.round(jnp.sqrt(area * aspect)).astype(jnp.int32)
    fits = (heights > 0) & (heights <= image_size[0]) & (widths > 0) & (widths <= image_size[1])
    first = jnp.argmax(fits)
    top, left, height, width = _central_box(image_size, ratio)
    height = jnp.where(fits[first], heights[first], height)
    width = jnp.where(fits[first], widths[first], width)
    top = jnp.where(fits[first], _below(image_size[0] - height + 1, uniform[-2]), top)
    left = jnp.where(fits[first], _below(image_size[1] - width + 1, uniform[-1]), left)
    return (top, left, height, width), fits[first]


def random_resized_crop(
    size: Size,
    *,
    scale: tuple[float, float] = (0.08, 1.0),
    ratio: tuple[float, float] = (3 / 4, 4 / 3),
    interpolation: Interpolation = "bilinear",
) -> Transform:
    """Cut out a random rectangle and resize it, antialiased (torchvision's RandomResizedCrop).

    Args:
        size: (height, width) of the result in pixels, or one number for a square.
        scale: bounds of the rectangle's share of the image's area, in (0, 1].
        ratio: bounds of its aspect ratio width / height.
        interpolation: "bilinear" or "bicubic" (see `resized_crop`).

    Returns:
        A transform `[height, width, channels] -> [*size, channels]`. The draws follow torchvision, its ten
        tries and central fallback included; all tries are drawn at once.

    Raises:
        ValueError: for an empty size, bounds that are not positive and ascending, or another interpolation.

    Reference: Szegedy et al. 2014, arXiv:1409.4842, section 6.
    """
    size = check_size(size, "random_resized_crop")
    check_range(scale, "random_resized_crop's scale", low=0.0, high=1.0)
    check_range(ratio, "random_resized_crop's ratio", low=0.0)
    check_interpolation(interpolation, "random_resized_crop")

    def transform(key, x):
        check_image(x, "random_resized_crop")
        (top, left, height, width), _ = draw_box(key, x.shape[:2], scale, ratio)
        return resized_crop(x, top, left, height, width, size, interpolation=interpolation)

    return transform


def center_crop(x: Image, size: Size) -> Float[Array, "size_height size_width channels"]:
    """The central rectangle of `size` pixels; an odd remainder is split as torchvision does."""
    check_image(x, "center_crop")
    height, width = check_size(size, "center_crop")
    if height > x.shape[0] or width > x.shape[1]:
        raise ValueError(f"center_crop expected a size within {x.shape[:2]}, got {size}; resize first.")
    top, left = round((x.shape[0] - height) / 2), round((x.shape[1] - width) / 2)
    return x[top : top + height, left : left + width]


def random_crop(size: Size, *, padding: int = 0, mode: str = "constant") -> Transform:
    """Cut out a random rectangle of `size` pixels after padding all sides (the CIFAR crop: 32, padding 4).

    Args:
        size: (height, width) of the result in pixels, or one number for a square.
        padding: pixels added on each side.
        mode: of `jnp.pad`: "constant" (zeros), "reflect" or "edge".

    Raises:
        ValueError: if the size is not positive or exceeds the padded image.
    """
    height, width = check_size(size, "random_crop")
    if padding < 0:
        raise ValueError(f"random_crop expected padding >= 0 pixels, got {padding}.")

    def transform(key, x):
        check_image(x, "random_crop")
        padded = jnp.pad(x, ((padding, padding), (padding, padding), (0, 0)), mode=mode)
        room = padded.shape[0] - height, padded.shape[1] - width
        if min(room) < 0:
            raise ValueError(f"random_crop expected a size within {padded.shape[:2]}, got {size}; pad more.")
        uniform = jax.random.uniform(key, (2,))
        top, left = _below(room[0] + 1, uniform[0]), _below(room[1] + 1, uniform[1])
        return jax.lax.dynamic_slice(padded, (top, left, 0), (height, width, x.shape[2]))

    return transform


def flip_horizontal(x: Image) -> Image:
    """Left and right exchanged."""
    check_image(x, "flip_horizontal")
    return x[:, ::-1]


def flip_vertical(x: Image) -> Image:
    """Top and bottom exchanged."""
    check_image(x, "flip_vertical")
    return x[::-1]


def horizontal_flip(*, probability: float = 0.5) -> Transform:
    """Exchange left and right with a probability."""
    return random_apply(lambda key, x: flip_horizontal(x), probability=probability)


def vertical_flip(*, probability: float = 0.5) -> Transform:
    """Exchange top and bottom with a probability."""
    return random_apply(lambda key, x: flip_vertical(x), probability=probability)


def rotate(x: Image, angle: Float[Array, ""] | float, fill: float = 0.0) -> Image:
    """Turn counter-clockwise by `angle` radians around the centre, bilinear; `fill` where nothing was."""
    check_image(x, "rotate")
    height, width = x.shape[:2]
    down = (jnp.arange(height) - (height - 1) / 2)[:, None]
    right = (jnp.arange(width) - (width - 1) / 2)[None, :]
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    rows = cos * down + sin * right + (height - 1) / 2
    columns = cos * right - sin * down + (width - 1) / 2
    coordinates = rows.astype(x.dtype), columns.astype(x.dtype)

    def sample(plane):
        return jax.scipy.ndimage.map_coordinates(plane, coordinates, order=1, mode="constant", cval=fill)

    return jax.vmap(sample, in_axes=-1, out_axes=-1)(x)


def random_rotation(max_angle: float, *, fill: float = 0.0) -> Transform:
    """Turn by an angle uniform in [-max_angle, max_angle] radians.

    Raises:
        ValueError: if `max_angle` is not in [0, pi].
    """
    if not 0 <= max_angle <= math.pi:
        raise ValueError(f"random_rotation expected radians in [0, pi], got {max_angle}.")

    def transform(key, x):
        return rotate(x, jax.random.uniform(key, (), jnp.float32, -max_angle, max_angle), fill)

    return transform


def erase(
    x: Image, top: Pixels, left: Pixels, height: Pixels, width: Pixels, value: Array | float = 0.0
) -> Image:
    """Fill a rectangle with a value: a number, one per channel [1, 1, channels], or a whole image."""
    check_image(x, "erase")
    rows, columns = jnp.arange(x.shape[0])[:, None, None], jnp.arange(x.shape[1])[None, :, None]
    inside = (rows >= top) & (rows < top + height) & (columns >= left) & (columns < left + width)
    return jnp.where(inside, jnp.asarray(value, x.dtype), x)


def random_erasing(
    *,
    probability: float = 0.5,
    scale: tuple[float, float] = (0.02, 0.33),
    ratio: tuple[float, float] = (0.3, 3.3),
    value: float | None = 0.0,
) -> Transform:
    """Fill a random rectangle with a value, or with standard normal noise (None), with a probability.

    Args:
        scale: bounds of the rectangle's share of the image's area, in (0, 1].
        ratio: bounds of its aspect ratio; where no draw in ten fits, nothing is erased.

    Reference: Zhong et al. 2017, arXiv:1708.04896.
    """
    check_range(scale, "random_erasing's scale", low=0.0, high=1.0)
    check_range(ratio, "random_erasing's ratio", low=0.0)

    def transform(key, x):
        check_image(x, "random_erasing")
        box_key, noise_key = jax.random.split(key)
        filling = jax.random.normal(noise_key, x.shape, x.dtype) if value is None else value
        (top, left, height, width), found = draw_box(box_key, x.shape[:2], scale, ratio)
        return erase(x, top, left, jnp.where(found, height, 0), width, filling)

    return random_apply(transform, probability=probability)


def _between(bounds, uniform):
    return bounds[0] + (bounds[1] - bounds[0]) * uniform


def _below(count, uniform):
    """A whole number in [0, count) from a uniform one in [0, 1)."""
    return jnp.floor(count * uniform).astype(jnp.int32)


def _central_box(image_size, ratio):
    height, width = image_size
    if width / height < ratio[0]:
        height = round(width / ratio[0])
    elif width / height > ratio[1]:
        width = round(height * ratio[1])
    return (image_size[0] - height) // 2, (image_size[1] - width) // 2, height, width
