"""ConvNeXt: a convolutional network in the manner of a vision transformer."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from flax import linen
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jssl.core import Encoder
from jssl.nn import adapters
from jssl.nn.block import Gelu
from jssl.nn.dense import Dense


class ConvNeXt(linen.Module):
    """Patches, stages of blocks with a halving of the size between them, mean pool, norm."""

    stages: Sequence[int]
    widths: Sequence[int]
    patch: int
    gelu: str
    layer_scale: float
    drop_path: float
    dtype: DTypeLike

    @linen.compact
    def __call__(
        self, x: Float[Array, "batch height width channels"], *, train: bool
    ) -> Float[Array, "batch dim"]:
        done, total = 0, sum(self.stages)
        for stage, (depth, width) in enumerate(zip(self.stages, self.widths, strict=True)):
            x = self._smaller(x.astype(self.dtype), stage, width)
            for index in range(depth):
                rate = self.drop_path * done / max(total - 1, 1)
                block = ConvNeXtBlock(
                    self.gelu, self.layer_scale, rate, self.dtype, name=f"stage{stage}_block{index}"
                )
                x, done = block(x, train=train), done + 1
        pooled = jnp.mean(x, axis=(1, 2), dtype=jnp.float32)
        return linen.LayerNorm(1e-6, jnp.float32, name="norm")(pooled)

    def _smaller(self, x: Array, stage: int, width: int) -> Array:
        """Patches of the image with a norm behind them, or 2x2 patches of the last stage with one before."""
        if stage == 0:
            x = _conv(width, self.patch, self.dtype, name="stem_conv")(x)
            return linen.LayerNorm(1e-6, self.dtype, name="stem_norm")(x)
        x = linen.LayerNorm(1e-6, self.dtype, name=f"stage{stage}_norm")(x)
        return _conv(width, 2, self.dtype, name=f"stage{stage}_conv")(x)


def _conv(width: int, size: int, dtype: DTypeLike, name: str) -> linen.Conv:
    init = linen.initializers.truncated_normal(0.02)
    return linen.Conv(width, (size, size), size, padding="VALID", dtype=dtype, kernel_init=init, name=name)


class ConvNeXtBlock(linen.Module):
    """7x7 convolution of each channel, norm, two linear layers with GELU between, beside a shortcut."""

    gelu: str
    layer_scale: float
    drop_path: float
    dtype: DTypeLike

    @linen.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        dim, init = x.shape[-1], linen.initializers.truncated_normal(0.02)
        y = linen.Conv(
            dim, (7, 7), padding=3, feature_group_count=dim, dtype=self.dtype, kernel_init=init, name="conv"
        )(x)
        y = linen.LayerNorm(1e-6, self.dtype, name="norm")(y)
        y = Dense(4 * dim, dtype=self.dtype, kernel_init=init, name="mlp1")(y)
        y = linen.gelu(y, approximate=self.gelu == "tanh")
        y = Dense(dim, dtype=self.dtype, kernel_init=init, name="mlp2")(y)
        scale = self.param("scale", linen.initializers.constant(self.layer_scale), (dim,))
        y = y * scale.astype(y.dtype).reshape(1, 1, 1, -1)
        return x + linen.Dropout(self.drop_path, broadcast_dims=(1, 2, 3))(y, deterministic=not train)


def convnext(
    stages: Sequence[int] = (3, 3, 9, 3),
    widths: Sequence[int] = (96, 192, 384, 768),
    *,
    patch: int = 4,
    gelu: Gelu = "tanh",
    layer_scale: float = 1e-6,
    drop_path: float = 0.0,
    dtype: DTypeLike = jnp.float32,
) -> Encoder:
    """A ConvNeXt: float images [batch, height, width, channels] to features [batch, widths[-1]].

    Args:
        stages: number of blocks of each stage; every stage after the first halves the size.
        widths: channels of each stage.
        patch: pixels of the first, non-overlapping convolution: 4 for large images, 1 or 2 for small ones.
        gelu: "tanh", the fast approximation, or "erf", the exact form of the published weights.
        layer_scale: start of the learned scale of each block's channels.
        drop_path: probability in [0, 1) to leave out the last block for an example, growing linearly from 0
            at the first; needs `key` in `apply`.
        dtype: of the computation; parameters, the last norm and the result are float32.

    Raises:
        ValueError: for numbers out of range, or not as many widths as stages.

    Reference: Liu et al., 2022, arXiv 2201.03545, figure 4 and section 3.
    """
    if not stages or len(stages) != len(widths) or min(*stages, *widths, patch) < 1:
        raise ValueError(
            f"expected as many widths as stages, all of 1 or more, and a patch of 1 pixel or more, got "
            f"stages={tuple(stages)}, widths={tuple(widths)}, patch={patch}"
        )
    if gelu not in ("tanh", "erf"):
        raise ValueError(f"expected gelu='tanh' or 'erf', got {gelu!r}")
    if not 0 <= drop_path < 1:
        raise ValueError(f"expected drop_path in [0, 1), got {drop_path}")
    return adapters.linen(ConvNeXt(tuple(stages), tuple(widths), patch, gelu, layer_scale, drop_path, dtype))


def convnext_tiny(**options: Any) -> Encoder:
    """ConvNeXt-T: 768 features. The other options are those of `convnext`."""
    return convnext((3, 3, 9, 3), (96, 192, 384, 768), **options)


def convnext_small(**options: Any) -> Encoder:
    """ConvNeXt-S: 768 features. The other options are those of `convnext`."""
    return convnext((3, 3, 27, 3), (96, 192, 384, 768), **options)


def convnext_base(**options: Any) -> Encoder:
    """ConvNeXt-B: 1024 features. The other options are those of `convnext`."""
    return convnext((3, 3, 27, 3), (128, 256, 512, 1024), **options)
