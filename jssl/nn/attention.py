"""Attention: weighted means of values, by the likeness of queries and keys."""

from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
from flax import linen
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jssl.nn.dense import Dense

Attend: TypeAlias = Callable[[Array, Array, Array], Array]


def attend(
    q: Float[Array, "batch n heads d"], k: Float[Array, "batch m heads d"], v: Float[Array, "batch m heads d"]
) -> Float[Array, "batch n heads d"]:
    """`softmax(q k' / sqrt(d)) v` for each head, with the softmax in float32.

    On accelerators it is `jax.nn.dot_product_attention`; on a CPU, where that takes half as long again or
    twice as long, each product is one matmul batched over examples and heads.
    """
    return jax.lax.platform_dependent(q, k, v, cpu=_batched_matmuls, default=jax.nn.dot_product_attention)


def _batched_matmuls(q: Array, k: Array, v: Array) -> Array:
    q, k, v = (x.transpose(0, 2, 1, 3) for x in (q, k, v))
    logits = jnp.einsum("bhnd,bhmd->bhnm", q * q.shape[-1] ** -0.5, k, preferred_element_type=jnp.float32)
    weights = jax.nn.softmax(logits, axis=-1).astype(v.dtype)
    return jnp.einsum("bhnm,bhmd->bhnd", weights, v).transpose(0, 2, 1, 3)


class SelfAttention(linen.Module):
    """Multi-head self-attention with one linear layer before it and one behind."""

    heads: int
    qkv_bias: bool
    attend: Attend
    dtype: DTypeLike

    @linen.compact
    def __call__(self, x: Float[Array, "batch n dim"]) -> Float[Array, "batch n dim"]:
        batch, n, dim = x.shape
        init = linen.initializers.xavier_uniform()
        dense = Dense(3 * dim, self.qkv_bias, self.dtype, kernel_init=init, name="qkv")
        q, k, v = jnp.unstack(dense(x).reshape(batch, n, 3, self.heads, dim // self.heads), axis=2)
        out = self.attend(q, k, v).reshape(batch, n, dim)
        return Dense(dim, dtype=self.dtype, kernel_init=init, name="out")(out)
