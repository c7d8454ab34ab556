"""Image files to arrays, and images of any size to one size, on the host."""

import io
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""Number of channels to Pillow's mode."""


def resize(image: UInt8[np.ndarray, "h w c"], size: int) -> UInt8[np.ndarray, "size size c"]:
    """Brings the shorter side to `size` (bilinear, antialiased) and cuts the centre square.

    Args:
        image: one image [height, width, channels] in [0, 255], with 1, 3 or 4 channels.
        size: pixels.

    Returns:
        The image [size, size, channels].
    """
    if image.shape[-1] not in MODES:
        raise ValueError(f"expected 1, 3 or 4 channels last, got shape {image.shape}")
    if image.shape[:2] == (size, size):
        return image
    return to_array(fit(Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image), size))


def fit(picture: Image.Image, size: int) -> Image.Image:
    """Pillow's picture, its shorter side at `size`, cut to the centre square."""
    if size < 1:
        raise ValueError(f"expected a size of at least 1 pixel, got {size}")
    return ImageOps.fit(picture, (size, size), method=Image.Resampling.BILINEAR)


def to_array(picture: Image.Image) -> UInt8[np.ndarray, "h w c"]:
    """Pillow's picture as [height, width, channels]."""
    image = np.array(picture)
    return image[..., None] if image.ndim == 2 else image


def eight_bit(picture: Image.Image, mode: str) -> Image.Image:
    """The picture in `mode`; palettes with transparency go through RGBA, as Pillow advises."""
    if picture.mode[0] in "IF":
        raise ValueError(
            f"expected 8 bits a channel, got mode {picture.mode}; scale its values to 8 bits first"
        )
    if picture.mode == "P" and "transparency" in picture.info:
        picture = picture.convert("RGBA")
    return picture if picture.mode == mode else picture.convert(mode)


def decode(
    file: bytes | Path, *, channels: int = 3, size: int | None = None, upright: bool = False
) -> UInt8[np.ndarray, "h w c"]:
    """Decodes an image file.

    Args:
        file: its path, or its bytes.
        channels: 1 (grey), 3 (RGB) or 4 (RGB and alpha), whatever the file holds.
        size: brings the image to [size, size] as `resize` does; None keeps its size. A JPEG of more than
            twice that size is decoded at a lower resolution, which is faster.
        upright: turn the image as its EXIF orientation says.

    Raises:
        OSError: the file is broken, or no image.
        ValueError: more than 8 bits a channel.
    """
    with Image.open(io.BytesIO(file) if isinstance(file, bytes) else file) as picture:
        if size is not None:
            picture.draft(MODES[channels], (2 * size, 2 * size))
        turned = ImageOps.exif_transpose(picture) if upright else picture
        converted = eight_bit(turned, MODES[channels])
        return to_array(converted if size is None else fit(converted, size))
