"""Small networks on top of an encoder: projectors, predictors, prototypes, a linear classifier."""

from collections.abc import Sequence
from typing import Literal

import jax
import jax.numpy as jnp
from flax import linen
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jssl import ops
from jssl.core import Encoder
from jssl.nn import adapters
from jssl.nn.dense import Dense

UNIFORM = linen.initializers.variance_scaling(1 / 3, "fan_in", "uniform")
"""PyTorch's initialisation of a linear layer's kernel: uniform in +-1 / sqrt(inputs).

Most methods were published with it. Its scale counts where the last layer's outputs are normalised, as it
sets how fast Adam turns a column, and where they are not, as in VICReg.
"""


class MLP(linen.Module):
    """Linear layers with ReLU between them; a linear layer before a norm has no bias."""

    features: Sequence[int]
    norm: str | None
    final_norm: bool
    dtype: DTypeLike

    @linen.compact
    def __call__(self, x: Float[Array, "*batch dim"], *, train: bool) -> Float[Array, "*batch out"]:
        for size in self.features[:-1]:
            x = self._dense(size, use_bias=self.norm is None)(x)
            x = linen.relu(self._norm(x, train) if self.norm else x)
        x = self._dense(self.features[-1], use_bias=not self.final_norm)(x)
        return self._norm(x, train, affine=False) if self.final_norm else x

    def _dense(self, size: int, use_bias: bool) -> linen.Dense:
        return Dense(size, use_bias, dtype=self.dtype, kernel_init=UNIFORM)

    def _norm(self, x: Array, train: bool, affine: bool = True) -> Array:
        if self.norm == "layer":
            return linen.LayerNorm(1e-6, self.dtype, use_bias=affine, use_scale=affine)(x)
        return linen.BatchNorm(
            not train, momentum=0.9, epsilon=1e-5, dtype=self.dtype, use_bias=affine, use_scale=affine
        )(x)


class Prototypes(linen.Module):
    """Scores of the input against vectors of length 1."""

    num: int
    dtype: DTypeLike

    @linen.compact
    def __call__(self, z: Float[Array, "*batch dim"]) -> Float[Array, "*batch num"]:
        kernel = self.param("kernel", linen.initializers.normal(1.0), (z.shape[-1], self.num))
        unit = ops.l2_normalize(kernel, axis=0).astype(self.dtype)
        # Accelerators would round float32 here, which temperatures of 0.1 and below make large.
        return jnp.matmul(z.astype(self.dtype), unit, precision=jax.lax.Precision.HIGHEST)


class Bottleneck(linen.Module):
    """Linear layers with GELU between them, and a vector of length 1 at the end."""

    hidden: Sequence[int]
    bottleneck: int
    norm: str | None
    gelu: str
    dtype: DTypeLike

    @linen.compact
    def __call__(self, x: Float[Array, "*batch dim"], *, train: bool) -> Float[Array, "*batch out"]:
        for size in self.hidden:
            x = self._dense(size, use_bias=self.norm is None)(x)
            if self.norm == "batch":
                x = linen.BatchNorm(not train, momentum=0.9, epsilon=1e-5, dtype=self.dtype)(x)
            x = linen.gelu(x, approximate=self.gelu == "tanh")
        x = self._dense(self.bottleneck, use_bias=True)(x)
        return ops.l2_normalize(ops.at_least_float32(x))

    def _dense(self, size: int, use_bias: bool) -> linen.Dense:
        return Dense(size, use_bias, dtype=self.dtype, kernel_init=linen.initializers.normal(0.02))


class WeightNormalized(linen.Module):
    """Linear layer without bias whose columns have length 1, or a learned length."""

    num: int
    learned_lengths: bool

    @linen.compact
    def __call__(self, z: Float[Array, "*batch dim"]) -> Float[Array, "*batch num"]:
        kernel = ops.l2_normalize(self.param("kernel", UNIFORM, (z.shape[-1], self.num)), axis=0)
        scores = jnp.matmul(z, kernel, precision=jax.lax.Precision.HIGHEST)
        if not self.learned_lengths:
            return scores
        lengths = self.param("lengths", linen.initializers.ones, (self.num,))
        return scores * lengths.reshape((1,) * (scores.ndim - 1) + (-1,))


def mlp(
    features: Sequence[int] = (2048, 128),
    *,
    norm: Literal["batch", "layer"] | None = "batch",
    final_norm: bool = False,
    dtype: DTypeLike = jnp.float32,
) -> Encoder:
    """A projector or predictor: linear, norm, ReLU, ..., linear.

    Kernels start as PyTorch's, uniform in +-1 / sqrt(inputs), with which most methods were published; biases
    start at 0.

    Args:
        features: sizes of the layers, the last one being the output's.
        norm: after each hidden layer; batch norm has momentum 0.9 and epsilon 1e-5.
        final_norm: also after the last layer, without scale and offset, as SimSiam and MoCo v3 have it.
        dtype: of the computation; parameters are float32.

    Raises:
        ValueError: for no layers, or a final norm without a kind of norm.
    """
    if not features or min(features) < 1:
        raise ValueError(
            f"expected at least one layer size, all of 1 or more, got features={tuple(features)}"
        )
    if norm not in ("batch", "layer", None):
        raise ValueError(f"expected norm='batch', 'layer' or None, got {norm!r}")
    if final_norm and norm is None:
        raise ValueError("final_norm=True needs a kind of norm: pass norm='batch' or norm='layer'")
    return adapters.linen(MLP(tuple(features), norm, final_norm, dtype))


def prototypes(num: int, *, dtype: DTypeLike = jnp.float32) -> Encoder:
    """Scores against `num` learned prototypes: `z @ (C / ||C||)`, [batch, dim] to [batch, num].

    The columns are normalised in the forward pass, so the gradient lies on the sphere; SwAV's own code
    normalises the weights in place before each step instead.

    Reference: Caron et al., 2020, arXiv 2006.09882, section 3.1.
    """
    if num < 2:
        raise ValueError(f"expected 2 prototypes or more, got num={num}")
    return adapters.linen(Prototypes(num, dtype))


def dino_head(
    num: int = 65536,
    *,
    hidden: Sequence[int] = (2048, 2048),
    bottleneck: int = 256,
    norm: Literal["batch"] | None = None,
    learned_lengths: bool = False,
    gelu: Literal["tanh", "erf"] = "tanh",
    dtype: DTypeLike = jnp.float32,
) -> Encoder:
    """DINO's head, [*batch, dim] to logits [*batch, num]: cosines of a bottleneck and learned prototypes.

    `logits = (MLP(h) / ||MLP(h)||) @ (C / ||C||)`

    Args:
        num: of prototypes (65536 for ImageNet, 4096 for CIFAR-10).
        hidden: sizes of the hidden layers.
        bottleneck: size of the normalised vector before the prototypes.
        norm: "batch" after each hidden layer, as for residual networks; None for vision transformers.
        learned_lengths: learn the length of each prototype too: better but less stable (the published
            `norm_last_layer=False`), and DINOv2's head.
        gelu: "tanh", the fast approximation, or "erf", the exact form of the published code.
        dtype: of the hidden layers; prototypes and logits are float32, as the temperatures magnify errors.

    Returns:
        An encoder with parameters "mlp" and "prototypes"; the methods freeze the latter at the start.

    Raises:
        ValueError: for sizes below 1 (2 prototypes), or another norm or GELU.

    Reference: Caron et al., 2021, arXiv 2104.14294, section 3.1, "Network architecture", and appendix C.
    """
    if num < 2 or min((bottleneck, *hidden)) < 1:
        raise ValueError(
            f"expected 2 prototypes or more and layers of 1 or more, got {num} and {(*hidden, bottleneck)}"
        )
    if norm not in ("batch", None) or gelu not in ("tanh", "erf"):
        raise ValueError(f"expected norm='batch' or None and gelu='tanh' or 'erf', got {norm!r} and {gelu!r}")
    return adapters.chain(
        mlp=adapters.linen(Bottleneck(tuple(hidden), bottleneck, norm, gelu, dtype)),
        prototypes=adapters.linen(WeightNormalized(num, learned_lengths)),
    )


def linear(num: int, *, use_bias: bool = True, dtype: DTypeLike = jnp.float32) -> Encoder:
    """One linear layer to `num` outputs over the last axis."""
    if num < 1:
        raise ValueError(f"expected 1 output or more, got num={num}")
    return adapters.linen(Dense(num, use_bias=use_bias, dtype=dtype))
