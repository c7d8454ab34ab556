"""From features back to pictures: what a convolutional autoencoder ends with."""

from collections.abc import Sequence

import jax.numpy as jnp
from flax import linen
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jssl.core import Encoder
from jssl.nn import adapters
from jssl.nn.dense import Dense


class ConvDecoder(linen.Module):
    """A linear layer to a small map, stages that double its size, and a convolution to the channels."""

    shape: tuple[int, int, int]
    width: int
    stages: int
    dtype: DTypeLike

    @linen.compact
    def __call__(
        self, x: Float[Array, "batch *places dim"], *, train: bool
    ) -> Float[Array, "batch height width channels"]:
        x = self._map(x.astype(self.dtype))
        for stage in reversed(range(self.stages)):
            x = jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)
            x = linen.Conv(self.width * 2**stage, (3, 3), use_bias=False, dtype=self.dtype)(x)
            x = linen.relu(linen.BatchNorm(not train, momentum=0.9, epsilon=1e-5, dtype=self.dtype)(x))
        return linen.Conv(self.shape[2], (3, 3), dtype=self.dtype)(x)

    def _map(self, x: Array) -> Float[Array, "batch small_height small_width dim"]:
        height, width = (size // 2**self.stages for size in self.shape[:2])
        if x.ndim == 2:
            dim = self.width * 2**self.stages
            return linen.relu(Dense(height * width * dim, dtype=self.dtype)(x)).reshape(
                -1, height, width, dim
            )
        if x.shape[1:-1] != (height, width):
            raise ValueError(
                f"expected features [batch, dim] or [batch, {height}, {width}, dim], got {x.shape}: change "
                "the number of stages, each of which doubles height and width"
            )
        return x


def conv_decoder(
    shape: Sequence[int], *, width: int = 32, stages: int = 3, dtype: DTypeLike = jnp.float32
) -> Encoder:
    """Features [batch, dim], or maps of them [batch, height, width, dim], to pictures [batch, *shape].

    Stages of nearest-neighbour upsampling, a 3x3 convolution, batch norm and ReLU; the values of the last
    convolution are not bounded.

    Args:
        shape: height, width and channels of the pictures; height and width are multiples of `2**stages`.
        width: channels of the last stage; each stage before it has twice as many.
        stages: number of times that the size is doubled.
        dtype: of the computation; parameters are float32.

    Raises:
        ValueError: for sizes that don't fit together.
    """
    sizes = tuple(shape)
    if len(sizes) != 3 or stages < 0 or any(size < 1 or size % 2**stages for size in sizes[:2]):
        raise ValueError(
            f"expected shape (height, width, channels) with multiples of {2**stages}, got {sizes}: change "
            "the number of stages"
        )
    if width < 1 or sizes[2] < 1:
        raise ValueError(f"expected width and channels of 1 or more, got {width} and {sizes[2]}")
    return adapters.linen(ConvDecoder(sizes, width, stages, dtype))
