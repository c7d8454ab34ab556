"""A layer norm whose gradient is written out and which keeps nothing but its input."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen
from jax import lax
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jssl import ops


@partial(jax.custom_vjp, nondiff_argnums=(3, 4))
def normalized(
    x: Float[Array, "*batch dim"],
    scale: Float[Array, " dim"] | None,
    bias: Float[Array, " dim"] | None,
    epsilon: float,
    dtype: DTypeLike,
) -> Float[Array, "*batch dim"]:
    """`(x - mean) / sqrt(variance + epsilon) * scale + bias` of the last axis, in float32 at least.

    The variance is that of the differences to the mean, exact where the mean is large. Autodiff of the same
    keeps more arrays of the input's size. On a CPU that is faster between other layers only, not for a norm
    by itself (`benchmarks/layers.py`: 0.9 times Flax's). Reverse mode only.
    """
    return _forward(x, scale, bias, epsilon, dtype)[0]


def _forward(
    x: Array, scale: Array | None, bias: Array | None, epsilon: float, dtype: DTypeLike
) -> tuple[Array, Any]:
    wide = ops.at_least_float32(x)
    mean = jnp.mean(wide, axis=-1, keepdims=True)
    rate = lax.rsqrt(jnp.mean(jnp.square(wide - mean), axis=-1, keepdims=True) + epsilon)
    y = (wide - mean) * rate
    y = y if scale is None else y * _for(x, scale)
    y = y if bias is None else y + _for(x, bias)
    return y.astype(dtype), (x, mean, rate, scale, bias)


def _for(x: Array, channels: Array) -> Array:
    """One value a channel, with the axes of `x`."""
    return channels.reshape(*[1] * (x.ndim - 1), -1)


def _backward(epsilon: float, dtype: DTypeLike, saved: Any, g: Array) -> tuple[Array | None, ...]:
    x, mean, rate, scale, bias = saved
    g = g.astype(mean.dtype)
    unit = (x.astype(mean.dtype) - mean) * rate
    d = g if scale is None else g * _for(x, scale)
    slope, along = (jnp.mean(y, axis=-1, keepdims=True) for y in (d, d * unit))
    rows = tuple(range(x.ndim - 1))
    return (
        (rate * (d - slope - unit * along)).astype(x.dtype),
        None if scale is None else jnp.sum(g * unit, axis=rows).astype(scale.dtype),
        None if bias is None else jnp.sum(g, axis=rows).astype(bias.dtype),
    )


normalized.defvjp(_forward, _backward)


class LayerNorm(linen.Module):
    """`flax.linen.LayerNorm` on `normalized`: the same parameters."""

    epsilon: float
    dtype: DTypeLike = jnp.float32
    use_bias: bool = True
    use_scale: bool = True

    @linen.compact
    def __call__(self, x: Float[Array, "*batch dim"]) -> Float[Array, "*batch dim"]:
        size = x.shape[-1:]
        scale = self.param("scale", linen.initializers.ones, size) if self.use_scale else None
        bias = self.param("bias", linen.initializers.zeros, size) if self.use_bias else None
        return normalized(x, scale, bias, self.epsilon, self.dtype)
