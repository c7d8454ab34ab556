"""One example cut into tokens, and put together again for pictures."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Num

from jssl.core import Tokenizer, Tokens
from jssl.pretext.image import to_float


def patches(size: int, *, relative: bool = False) -> Tokenizer:
    """A tokenizer of one image into square patches, row by row.

    Args:
        size: of a patch, in pixels; height and width of the image must be multiples of it.
        relative: give positions as shares of the image, which learned positions (`nn.Grid`) need.

    Returns:
        `image -> Tokens` for one image [height, width, channels] (uint8, or float in [0, 1]): values
        [n, size * size * channels] in [0, 1], and positions [n, 2], row and column in units of patches; with
        `relative`, positions [n, 4] in [0, 1]: the centre's row and column, the patch's height and width.

    Reference: Dosovitskiy et al., 2020, arXiv 2010.11929, section 3.1.
    """
    if size < 1:
        raise ValueError(f"expected a patch size of 1 pixel or more, got size={size}")

    def tokenize(image: Num[Array, "height width channels"]) -> Tokens:
        height, width, channels = image.shape
        if height % size or width % size:
            raise ValueError(
                f"expected height and width divisible by {size}, got {height}x{width}: resize or crop"
            )
        rows, columns = height // size, width // size
        values = to_float(image).reshape(rows, size, columns, size, channels).transpose(0, 2, 1, 3, 4)
        row, column = jnp.meshgrid(jnp.arange(rows), jnp.arange(columns), indexing="ij")
        positions = jnp.stack([row.reshape(-1), column.reshape(-1)], axis=-1).astype(jnp.float32)
        if relative:
            share = jnp.asarray([[1 / rows, 1 / columns]])
            positions = jnp.concatenate([(positions + 0.5) * share, jnp.tile(share, (len(positions), 1))], 1)
        return Tokens(values.reshape(rows * columns, size * size * channels), positions)

    return tokenize


def unpatchify(values: Float[Array, "n p"], shape: tuple[int, ...]) -> Float[Array, "height width channels"]:
    """The image whose patches these are: the inverse of `patches(size)`.

    Args:
        values: patches row by row, all of them.
        shape: of the image: height, width, channels.

    Raises:
        ValueError: where the patches don't make up such an image.
    """
    height, width, channels = shape
    size = round((values.shape[1] / channels) ** 0.5)
    rows, columns = height // max(size, 1), width // max(size, 1)
    if values.shape != (rows * columns, size * size * channels) or (rows * size, columns * size) != (
        height,
        width,
    ):
        raise ValueError(
            f"expected all square patches of an image of shape {shape}, got values {values.shape}"
        )
    grid = values.reshape(rows, columns, size, size, channels)
    return grid.transpose(0, 2, 1, 3, 4).reshape(height, width, channels)
