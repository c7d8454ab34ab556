"""Many small images in one: a sheet is a single data URI, and each image on the page a window onto it."""

from __future__ import annotations

import base64
import io
import math
from typing import NamedTuple

import numpy as np
from PIL import Image

from jssl.report.markup import Markup, tag

QUALITIES = (90, 75, 60, 45, 30)


class Sheet(NamedTuple):
    """A grid of equally large images under a CSS class name."""

    name: str
    uri: str
    columns: int
    rows: int
    number: int
    width: int
    height: int

    def tile(self, index: int, *, label: str = "", class_: str = "") -> Markup:
        """The window onto one image, as wide as the style's --tile says."""
        row, column = divmod(index, self.columns)
        place = f"background-position:{_percent(column, self.columns)} {_percent(row, self.rows)}"
        return tag(
            "span",
            class_=f"tile {self.name} {class_}".rstrip(),
            style=place,
            role="img",
            aria_label=label or f"image {index}",
            title=label or None,
        )

    def style(self) -> Markup:
        """The rule that all windows onto this sheet share."""
        sharp = "image-rendering:pixelated;" if self.width <= 64 else ""
        return Markup(
            f".{self.name}{{background-image:url({self.uri});aspect-ratio:{self.width}/{self.height};"
            f"background-size:{100 * self.columns}% {100 * self.rows}%;{sharp}}}"
        )


def sheet(name: str, images: np.ndarray, *, budget: int, largest: int) -> Sheet:
    """Put images side by side and compress them.

    Args:
        images: [n, height, width, channels], uint8 or float in [0, 1].
        budget: bytes that the compressed sheet may take; quality gives way, then size.
        largest: pixels of a tile's longer side; larger images are made smaller.
    """
    pixels = to_pixels(images)
    while True:
        pixels = np.stack([_shrink(image, largest) for image in pixels])
        data = _compress(_grid(pixels), budget)
        if len(data) <= budget or largest <= 16:
            break
        largest = min(largest, max(pixels.shape[1:3])) * 3 // 4
    uri = "data:image/webp;base64," + base64.b64encode(data).decode("ascii")
    columns = _columns(len(pixels))
    rows = -(-len(pixels) // columns)
    return Sheet(name, uri, columns, rows, number=len(pixels), width=pixels.shape[2], height=pixels.shape[1])


def to_pixels(images: np.ndarray) -> np.ndarray:
    """Images of any channels as uint8 RGB or RGBA; other than 1, 3 or 4 channels are averaged."""
    if images.dtype != np.uint8:
        clean = np.nan_to_num(np.asarray(images, np.float32), nan=0.0, posinf=1.0, neginf=0.0)
        images = (np.clip(clean, 0.0, 1.0) * 255 + 0.5).astype(np.uint8)
    if images.shape[-1] in (3, 4):
        return images
    grey = images if images.shape[-1] == 1 else images.mean(-1, keepdims=True).astype(np.uint8)
    return np.repeat(grey, 3, axis=-1)


def _shrink(image: np.ndarray, largest: int) -> np.ndarray:
    height, width = image.shape[:2]
    factor = largest / max(height, width)
    if factor >= 1:
        return image
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))


def _columns(count: int) -> int:
    return max(1, math.ceil(math.sqrt(count)))


def _grid(pixels: np.ndarray) -> Image.Image:
    count, height, width, channels = pixels.shape
    columns = _columns(count)
    rows = -(-count // columns)
    full = np.zeros((rows * columns, height, width, channels), np.uint8)
    full[:count] = pixels
    rows_first = full.reshape(rows, columns, height, width, channels).transpose(0, 2, 1, 3, 4)
    return Image.fromarray(rows_first.reshape(rows * height, columns * width, channels))


def _compress(image: Image.Image, budget: int) -> bytes:
    """WebP without loss where it fits, else at the best quality that fits or at the lowest."""
    data = _webp(image, lossless=True) if image.width * image.height <= 4 * budget else b""
    for quality in QUALITIES:
        if data and len(data) <= budget:
            break
        data = _webp(image, quality=quality)
    return data


def _webp(image: Image.Image, **options: int) -> bytes:
    file = io.BytesIO()
    image.save(file, "WEBP", method=2, **options)
    return file.getvalue()


def _percent(index: int, count: int) -> str:
    return f"{100 * index / (count - 1):.4g}%" if count > 1 else "0"
