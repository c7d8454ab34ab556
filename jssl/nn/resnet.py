"""Residual networks for images, with stems for large and for small ones."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal, get_args

import jax.numpy as jnp
from flax import linen
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jssl.core import Encoder
from jssl.nn import adapters
from jssl.nn.convolution import convolve

Stem = Literal["imagenet", "cifar", "stride2", "patch4"]
Pool = Literal["mean", "flatten"]
Block = Literal["basic", "bottleneck"]


class ResNet(linen.Module):
    """Stem, stages of residual blocks that double the width and halve the size, and a pool."""

    stages: Sequence[int]
    block: str
    width: int
    stem: str
    zero_init_last: bool
    pool: str
    dtype: DTypeLike

    @linen.compact
    def __call__(
        self, x: Float[Array, "batch height width channels"], *, train: bool
    ) -> Float[Array, "batch dim"]:
        norm = partial(linen.BatchNorm, not train, momentum=0.9, epsilon=1e-5, dtype=self.dtype)
        conv = partial(
            linen.Conv,
            padding=0,
            use_bias=False,
            dtype=self.dtype,
            conv_general_dilated=convolve,
            kernel_init=linen.initializers.variance_scaling(2.0, "fan_out", "truncated_normal"),
        )
        block = BasicBlock if self.block == "basic" else BottleneckBlock
        x = self._stem(x.astype(self.dtype), conv, norm)
        for stage, depth in enumerate(self.stages):
            for index in range(depth):
                stride = 2 if stage > 0 and index == 0 else 1
                x = block(
                    self.width * 2**stage,
                    stride,
                    conv,
                    norm,
                    self.zero_init_last,
                    name=f"stage{stage}_block{index}",
                )(x)
        if self.pool == "flatten":
            return x.reshape(len(x), -1).astype(jnp.float32)
        return jnp.mean(x, axis=(1, 2), dtype=jnp.float32)

    def _stem(self, x: Array, conv: Any, norm: Any) -> Array:
        if self.stem == "imagenet":
            x = conv(self.width, (7, 7), 2, padding=3, name="stem_conv")(x)
            x = linen.relu(norm(name="stem_norm")(x))
            return linen.max_pool(x, (3, 3), (2, 2), padding=((1, 1), (1, 1)))
        if self.stem == "patch4":
            x = conv(self.width, (4, 4), 4, name="stem_conv")(x)
        else:
            stride = 2 if self.stem == "stride2" else 1
            x = conv(self.width, (3, 3), stride, padding=1, name="stem_conv")(x)
        return linen.relu(norm(name="stem_norm")(x))


class BasicBlock(linen.Module):
    """Two 3x3 convolutions beside a shortcut."""

    width: int
    stride: int
    conv: Any
    norm: Any
    zero_init_last: bool

    @linen.compact
    def __call__(self, x: Array) -> Array:
        # Explicit padding: with stride 2, "SAME" would put the odd pixel on the other side than PyTorch does.
        y = self.conv(self.width, (3, 3), self.stride, padding=1, name="conv1")(x)
        y = linen.relu(self.norm(name="norm1")(y))
        y = self.conv(self.width, (3, 3), padding=1, name="conv2")(y)
        y = self.norm(name="norm2", scale_init=_last_scale(self.zero_init_last))(y)
        return linen.relu(y + _shortcut(self, x, y.shape))


class BottleneckBlock(linen.Module):
    """1x1, 3x3 (which has the stride) and 1x1 convolutions to four times the width, beside a shortcut."""

    width: int
    stride: int
    conv: Any
    norm: Any
    zero_init_last: bool

    @linen.compact
    def __call__(self, x: Array) -> Array:
        y = linen.relu(self.norm(name="norm1")(self.conv(self.width, (1, 1), name="conv1")(x)))
        y = self.conv(self.width, (3, 3), self.stride, padding=1, name="conv2")(y)
        y = linen.relu(self.norm(name="norm2")(y))
        y = self.conv(4 * self.width, (1, 1), name="conv3")(y)
        y = self.norm(name="norm3", scale_init=_last_scale(self.zero_init_last))(y)
        return linen.relu(y + _shortcut(self, x, y.shape))


def _last_scale(zero: bool) -> linen.initializers.Initializer:
    return linen.initializers.zeros if zero else linen.initializers.ones


def _shortcut(block: Any, x: Array, shape: tuple[int, ...]) -> Array:
    if x.shape == shape:
        return x
    x = block.conv(shape[-1], (1, 1), block.stride, name="shortcut_conv")(x)
    return block.norm(name="shortcut_norm")(x)


def resnet(
    stages: Sequence[int] = (2, 2, 2, 2),
    *,
    block: Block = "basic",
    width: int = 64,
    stem: Stem = "imagenet",
    zero_init_last: bool = False,
    pool: Pool = "mean",
    dtype: DTypeLike = jnp.float32,
) -> Encoder:
    """A residual network: float images [batch, height, width, channels] to features [batch, dim].

    With the mean pool, `dim` is `width * 2**(len(stages) - 1)`, four times that with bottleneck blocks.
    Batch norm has momentum 0.9 and epsilon 1e-5; under jit with a sharded batch its statistics are those of
    the whole batch.

    Args:
        stages: number of blocks of each stage; every stage after the first halves the size.
        block: "basic" (two 3x3 convolutions) or "bottleneck" (1x1, 3x3, 1x1).
        width: channels of the first stage; a network "x2" has twice the usual 64.
        stem: "imagenet" (7x7 with stride 2, then a max-pool: size / 4), "cifar" (3x3: full size), "stride2"
            (3x3 with stride 2: size / 2, a quarter of the work of "cifar") or "patch4" (4x4 with stride 4).
        zero_init_last: start each block as the identity: the scale of its last norm is 0.
        pool: "mean" over the positions, or "flatten": all positions side by side, which keeps where things
            are. It suits small images of aligned objects, and ties the network to one size of image.
        dtype: of the computation; parameters and statistics are float32.

    Raises:
        ValueError: for an unknown stem or block, or stages or width below 1.

    Deviation: the running variance is biased, where PyTorch's is unbiased. The stride of a bottleneck is at
    its 3x3 convolution, as in every common implementation.

    Reference: He et al., 2015, arXiv 1512.03385, table 1; zero initialisation: Goyal et al., 2017,
    arXiv 1706.02677, section 5.1; stem for small images: Chen et al., 2020, arXiv 2002.05709, appendix B.9.
    """
    if not stages or min(stages) < 1 or width < 1:
        raise ValueError(f"expected stages and width of 1 or more, got stages={tuple(stages)}, width={width}")
    if block not in ("basic", "bottleneck"):
        raise ValueError(f"expected block='basic' or 'bottleneck', got {block!r}")
    if stem not in get_args(Stem) or pool not in get_args(Pool):
        raise ValueError(
            f"expected a stem of {get_args(Stem)} and a pool of {get_args(Pool)}, got {stem!r} and {pool!r}"
        )
    return adapters.linen(ResNet(tuple(stages), block, width, stem, zero_init_last, pool, dtype))


def resnet18(**options: Any) -> Encoder:
    """ResNet-18: 512 features. The other options are those of `resnet`."""
    return resnet((2, 2, 2, 2), block="basic", **options)


def resnet34(**options: Any) -> Encoder:
    """ResNet-34: 512 features. The other options are those of `resnet`."""
    return resnet((3, 4, 6, 3), block="basic", **options)


def resnet50(**options: Any) -> Encoder:
    """ResNet-50: 2048 features. The other options are those of `resnet`."""
    return resnet((3, 4, 6, 3), block="bottleneck", **options)


def resnet101(**options: Any) -> Encoder:
    """ResNet-101: 2048 features. The other options are those of `resnet`."""
    return resnet((3, 4, 23, 3), block="bottleneck", **options)


def resnet152(**options: Any) -> Encoder:
    """ResNet-152: 2048 features. The other options are those of `resnet`."""
    return resnet((3, 8, 36, 3), block="bottleneck", **options)


def resnet200(**options: Any) -> Encoder:
    """ResNet-200: 2048 features; `width=128` is "ResNet-200 (2x)". Other options as in `resnet`."""
    return resnet((3, 24, 36, 3), block="bottleneck", **options)
