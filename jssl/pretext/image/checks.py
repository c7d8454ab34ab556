"""What every image transform asks of its arguments, and how it says so."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Num

Size = int | tuple[int, int]
"""Height and width in pixels; one number means a square."""


def check_image(x: Array, name: str) -> None:
    """Raise unless `x` is one floating point image [height, width, channels] with 1 or 3 channels."""
    if x.ndim != 3:
        raise ValueError(
            f"{name} expected one image [height, width, channels], got shape {x.shape}; "
            "apply it to a batch with jax.vmap."
        )
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(
            f"{name} expected floats in [0, 1], got {x.dtype}; convert with image.to_float first."
        )
    if x.shape[-1] not in (1, 3):
        raise ValueError(f"{name} expected 1 or 3 channels in the last axis, got shape {x.shape}.")


def check_size(size: Size, name: str) -> tuple[int, int]:
    """The height and width that `size` means."""
    height, width = (size, size) if isinstance(size, int) else size
    if height <= 0 or width <= 0:
        raise ValueError(f"{name} expected a positive size in pixels, got {size}.")
    return height, width


def check_probability(probability: float, name: str) -> None:
    """Raise unless the probability is in [0, 1]."""
    if not 0 <= probability <= 1:
        raise ValueError(f"{name} expected a probability in [0, 1], got {probability}.")


def check_range(bounds: tuple[float, float], name: str, *, low: float, high: float = float("inf")) -> None:
    """Raise unless `low < bounds[0] <= bounds[1] <= high`."""
    if not low < bounds[0] <= bounds[1] <= high:
        raise ValueError(f"{name} expected {low} < low <= high <= {high}, got {bounds}.")


def factor_range(value: float | tuple[float, float], name: str) -> tuple[float, float]:
    """Bounds of a multiplicative factor: `value` means `(max(0, 1 - value), 1 + value)`."""
    low, high = (max(0.0, 1.0 - value), 1.0 + value) if isinstance(value, int | float) else value
    if (isinstance(value, int | float) and value < 0) or not 0 <= low <= high:
        raise ValueError(f"{name} expected a strength >= 0 or bounds 0 <= low <= high, got {value}.")
    return low, high


def to_float(x: Num[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Bytes to float32 in [0, 1]; floats pass unchanged.

    Raises:
        ValueError: for any other dtype.
    """
    if x.dtype == jnp.uint8:
        return x.astype(jnp.float32) / 255
    if jnp.issubdtype(x.dtype, jnp.floating):
        return x
    raise ValueError(f"to_float expected uint8 in [0, 255] or floats in [0, 1], got {x.dtype}.")
