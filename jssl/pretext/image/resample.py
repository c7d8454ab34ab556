"""Crops resized with an antialiased filter, as torchvision's and Pillow's bilinear and bicubic resize.

The filter is separable. Along each axis an output pixel i has its centre at c = top + (i + 1/2) s - 1/2 in
the input, s = length / size, and weighs the crop's pixels j by k(|j - c| / max(s, 1)), normalised; k(d) is
the triangle max(0, 1 - d), or the kernel of cubic convolution.
"""

import math
from functools import partial
from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jssl import ops
from jssl.pretext.fence import fenced
from jssl.pretext.image.checks import Size, check_image, check_size

Pixels = Int[Array, ""] | int
Interpolation = Literal["bilinear", "bicubic"]

RADIUS = {"bilinear": 1, "bicubic": 2}
IN_BOUNDS = "promise_in_bounds"


def resized_crop(
    x: Float[Array, "height width channels"],
    top: Pixels,
    left: Pixels,
    height: Pixels,
    width: Pixels,
    size: Size,
    *,
    interpolation: Interpolation = "bilinear",
) -> Float[Array, "size_height size_width channels"]:
    """Cut out a rectangle and resize it, antialiased; only `size` needs to be static.

    Args:
        x: image, floats.
        top, left: the rectangle's first row and column, pixels.
        height, width: its extent in pixels, at least 1; it has to lie inside the image.
        size: (height, width) of the result, or one number for a square.
        interpolation: "bilinear", or "bicubic", which is sharper and beside edges goes a little beyond the
            range of the pixels (Pillow, which has whole numbers, clips there).

    Returns:
        The resized crop, of the dtype of `x`.

    Raises:
        ValueError: if `x` is not one float image, `size` is not positive, or the interpolation is another.

    CPUs read the few pixels that each output pixel needs; accelerators multiply with two dense matrices, the
    form that their matrix units take. The results agree to rounding.
    """
    check_image(x, "resized_crop")
    size = check_size(size, "resized_crop")
    check_interpolation(interpolation, "resized_crop")
    return jax.lax.platform_dependent(
        x,
        jnp.array([top, left]),
        jnp.array([height, width]),
        cpu=partial(resample_by_reading, size=size, interpolation=interpolation),
        default=partial(resample_by_matrices, size=size, interpolation=interpolation),
    )


def check_interpolation(interpolation: str, name: str) -> None:
    """Raise unless it is known."""
    if interpolation not in get_args(Interpolation):
        raise ValueError(
            f"{name} expected an interpolation of {get_args(Interpolation)}, got {interpolation!r}."
        )


def resize(
    x: Float[Array, "height width channels"], size: Size, *, interpolation: Interpolation = "bilinear"
) -> Float[Array, "size_height size_width channels"]:
    """Resize the whole image, antialiased."""
    check_image(x, "resize")
    return resized_crop(x, 0, 0, x.shape[0], x.shape[1], size, interpolation=interpolation)


def resample_by_reading(x, corner, extent, size, interpolation):
    """The resized crop by weighted sums of rows, then of columns, read at computed positions."""
    rows, row_weights = _taps(corner[0], extent[0], x.shape[0], size[0], interpolation)
    columns, column_weights = _taps(corner[1], extent[1], x.shape[1], size[1], interpolation)
    x = fenced(_read_rows)(x, rows, row_weights.astype(x.dtype))
    return fenced(_read_columns)(x, columns, column_weights.astype(x.dtype))


def resample_by_matrices(x, corner, extent, size, interpolation):
    """The resized crop by a matrix product for the rows and one for the columns."""
    row_weights = _matrix(corner[0], extent[0], x.shape[0], size[0], interpolation).astype(x.dtype)
    column_weights = _matrix(corner[1], extent[1], x.shape[1], size[1], interpolation).astype(x.dtype)
    precision = "highest"
    rows = jnp.einsum("oh,hwc->owc", row_weights, x, precision=precision)
    return jnp.einsum("ow,hwc->hoc", column_weights, rows, precision=precision)


def _taps(start, length, input_size, output_size, interpolation):
    """Positions and weights [taps, output_size] of the input pixels that the output pixels read."""
    centre, stretch = _centres(start, length, output_size)
    radius = RADIUS[interpolation]
    num_taps = math.ceil(2 * radius * max(1.0, input_size / output_size))
    first = jnp.floor(centre - radius * stretch).astype(jnp.int32) + 1
    positions = first[None] + jnp.arange(num_taps)[:, None]
    weights = _filter(positions, centre[None], stretch, start, length, interpolation)
    return jnp.clip(positions, 0, input_size - 1), weights / jnp.sum(weights, axis=0, keepdims=True)


def _matrix(start, length, input_size, output_size, interpolation):
    """Weights [output_size, input_size] of all input pixels."""
    centre, stretch = _centres(start, length, output_size)
    weights = _filter(jnp.arange(input_size)[None], centre[:, None], stretch, start, length, interpolation)
    return weights / jnp.sum(weights, axis=1, keepdims=True)


def _centres(start, length, output_size):
    """Centres of the output pixels in the input, and how far the filter is stretched."""
    scale = length.astype(jnp.float32) / output_size
    return start + (jnp.arange(output_size) + 0.5) * scale - 0.5, jnp.maximum(scale, 1.0)


def _filter(positions, centre, stretch, start, length, interpolation):
    distance = jnp.abs(positions - centre) / stretch
    cubic = interpolation == "bicubic"
    weights = ops.cubic_kernel(distance, -0.5) if cubic else jnp.maximum(0.0, 1.0 - distance)
    return jnp.where((positions >= start) & (positions < start + length), weights, 0.0)


def _read_rows(x, rows, weights):
    # Flat rows [width * channels] are read whole.
    flat = x.reshape(x.shape[0], -1)
    flat = _weighted_sum([flat.at[row].get(mode=IN_BOUNDS) for row in rows], weights[:, :, None])
    return flat.reshape(rows.shape[1], *x.shape[1:])


def _read_columns(x, columns, weights):
    read = [x.at[:, column].get(mode=IN_BOUNDS) for column in columns]
    return _weighted_sum(read, weights[:, None, :, None])


def _weighted_sum(arrays, weights):
    total = weights[0] * arrays[0]
    for array, weight in zip(arrays[1:], weights[1:], strict=True):
        total += weight * array
    return total
