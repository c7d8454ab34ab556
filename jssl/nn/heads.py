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


class MLP(linen.Module):
    """Linear layers with ReLU between them; a linear layer before a norm has no bias."""

    features: Sequence[int]
    norm: str | None
    final_norm: bool
    dtype: DTypeLike

    @linen.compact
    def __call__(self, x: Float[Array, "*batch dim"], *, train: bool) -> Float[Array, "*batch out"]:
        for size in self.features[:-1]:
            x = linen.Dense(size, use_bias=self.norm is None, dtype=self.dtype)(x)
            x = linen.relu(self._norm(x, train) if self.norm else x)
        x = linen.Dense(self.features[-1], use_bias=not self.final_norm, dtype=self.dtype)(x)
        return self._norm(x, train, affine=False) if self.final_norm else x

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


def mlp(
    features: Sequence[int] = (2048, 128),
    *,
    norm: Literal["batch", "layer"] | None = "batch",
    final_norm: bool = False,
    dtype: DTypeLike = jnp.float32,
) -> Encoder:
    """A projector or predictor: linear, norm, ReLU, ..., linear.

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


def linear(num: int, *, use_bias: bool = True, dtype: DTypeLike = jnp.float32) -> Encoder:
    """One linear layer to `num` outputs over the last axis."""
    if num < 1:
        raise ValueError(f"expected 1 output or more, got num={num}")
    return adapters.linen(linen.Dense(num, use_bias=use_bias, dtype=dtype))
