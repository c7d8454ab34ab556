"""Attention: weighted means of values, by the likeness of queries and keys."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from flax import linen
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from jssl import ops
from jssl.nn.dense import Dense

Attend: TypeAlias = Callable[..., Array]
"""`(q, k, v) -> out`; with what may be seen, `(q, k, v, mask=mask)`."""

Pair: TypeAlias = tuple[Array, Array]

Past: TypeAlias = tuple[Array, Array, Array]
"""Keys and values [batch, m, heads, d] made before, and the new one for each place, [batch, m], or -1."""


class Sight(NamedTuple):
    """What the tokens of one layer see.

    mask: True where a query (n) may look at a key (m).
    rotation: cosines and sines by which queries and keys are turned, of each token's position.
    past: what was computed before.
    """

    mask: Bool[Array, "#batch 1 n m"] | None = None
    rotation: Pair | None = None
    past: Past | None = None


def attend(
    q: Float[Array, "batch n heads d"],
    k: Float[Array, "batch m heads d"],
    v: Float[Array, "batch m heads d"],
    *,
    mask: Bool[Array, "#batch 1 n m"] | None = None,
) -> Float[Array, "batch n heads d"]:
    """`softmax(q k' / sqrt(d)) v` for each head, with the softmax in float32.

    On accelerators it is `jax.nn.dot_product_attention`; on a CPU, where that takes half as long again or
    twice as long, it is `weighted_values`.

    Args:
        mask: True where a query may look at a key; None: everywhere.
    """
    given = (q, k, v) if mask is None else (q, k, v, mask)
    return jax.lax.platform_dependent(*given, cpu=_matmuls, default=_fused)


def _matmuls(q: Array, k: Array, v: Array, mask: Array | None = None) -> Array:
    return weighted_values(q, k, v, mask, None, 0.0)


def _fused(q: Array, k: Array, v: Array, mask: Array | None = None) -> Array:
    return jax.nn.dot_product_attention(q, k, v, mask=mask)


@partial(jax.custom_vjp, nondiff_argnums=(5,))
def weighted_values(
    q: Float[Array, "batch n heads d"],
    k: Float[Array, "batch m heads d"],
    v: Float[Array, "batch m heads d"],
    mask: Bool[Array, "#batch 1 n m"] | None,
    key: PRNGKeyArray | None,
    rate: float,
) -> Float[Array, "batch n heads d"]:
    """`attend` as two matmuls batched over examples and heads; with a key, a share of the weights is dropped.

    The sum of the weights divides the results instead of the weights, and the gradient is written out in
    terms of the results, so that fewer passes go over arrays [batch, heads, n, m]. Reverse mode only.

    Reference: Dao et al., 2022, arXiv 2205.14135, appendix B.2 (the gradient).
    """
    return _attention(q, k, v, mask, key, rate)[0]


def _attention(
    q: Array, k: Array, v: Array, mask: Array | None, key: Array | None, rate: float
) -> tuple[Array, Any]:
    q, k, v = _by_heads(q * q.shape[-1] ** -0.5), _by_heads(k), _by_heads(v)
    wide = jnp.promote_types(q.dtype, jnp.float32)
    logits = jnp.einsum("bhnd,bhmd->bhnm", q, k, preferred_element_type=wide)
    if mask is not None:
        logits = jnp.where(mask, logits, jnp.finfo(wide).min)
    weights = jnp.exp(logits - jnp.max(logits, axis=-1, keepdims=True))
    share = 1 / jnp.sum(weights, axis=-1, keepdims=True)
    weights = weights.astype(v.dtype)
    kept = None if key is None else ops.dropout(key, weights, rate)
    found = jnp.einsum("bhnm,bhmd->bhnd", weights if kept is None else kept, v, preferred_element_type=wide)
    out = (found * share).astype(v.dtype)
    return _by_heads(out), (q, k, v, weights, kept, share, out)


def _attention_backward(rate: float, saved: Any, g: Array) -> tuple[Array | None, ...]:
    q, k, v, weights, kept, share, out = saved
    g = (_by_heads(g) * share).astype(v.dtype)
    through = weights if kept is None else kept
    slope = jnp.sum((g * out).astype(share.dtype), axis=-1, keepdims=True)
    d = jnp.einsum("bhnd,bhmd->bhnm", g, v, preferred_element_type=share.dtype)
    d = (weights * (d - slope) if kept is None else kept * d - weights * slope).astype(q.dtype)
    d_q = jnp.einsum("bhnm,bhmd->bhnd", d, k) * q.shape[-1] ** -0.5
    d_k = jnp.einsum("bhnm,bhnd->bhmd", d, q)
    d_v = jnp.einsum("bhnm,bhnd->bhmd", through, g)
    return _by_heads(d_q), _by_heads(d_k), _by_heads(d_v), None, None


weighted_values.defvjp(_attention, _attention_backward)


def _by_heads(x: Array) -> Array:
    """[batch, n, heads, d] to [batch, heads, n, d], and back."""
    return x.transpose(0, 2, 1, 3)


class SelfAttention(linen.Module):
    """Multi-head self-attention with one linear layer before it and one behind.

    Attributes:
        qkv_bias: a bias of queries, keys and values.
        out_bias: a bias of the layer behind.
        dropout: share of the attention's weights that is dropped in training.
        keep: whether the keys and values are wanted back.
    """

    heads: int
    qkv_bias: bool
    attend: Attend
    dtype: DTypeLike
    kernel_init: Callable[..., Array]
    out_bias: bool = True
    out_init: Callable[..., Array] | None = None
    dropout: float = 0.0
    keep: bool = False

    @linen.compact
    def __call__(self, x: Float[Array, "batch n dim"], sight: Sight, train: bool) -> tuple[Array, Any]:
        """The result, and the keys and values if `keep`."""
        batch, n, dim = x.shape
        dense = Dense(3 * dim, self.qkv_bias, self.dtype, kernel_init=self.kernel_init, name="qkv")
        q, k, v = jnp.unstack(dense(x).reshape(batch, n, 3, self.heads, dim // self.heads), axis=2)
        if sight.rotation is not None:
            q, k = rotated(q, sight.rotation), rotated(k, sight.rotation)
        if sight.past is not None:
            *past, source = sight.past
            k, v = (written(old, new, source) for old, new in zip(past, (k, v), strict=True))
        out = self._attention(train)(q, k, v, **({} if sight.mask is None else {"mask": sight.mask}))
        init = self.out_init or self.kernel_init
        dense = Dense(dim, self.out_bias, self.dtype, kernel_init=init, name="out")
        return dense(out.reshape(batch, n, dim)), (k, v) if self.keep else None

    def _attention(self, train: bool) -> Attend:
        if not (train and self.dropout):
            return self.attend
        # No fused attention drops weights.
        key, rate = self.make_rng("dropout"), self.dropout
        return lambda q, k, v, mask=None: weighted_values(q, k, v, mask, key, rate)


def written(
    old: Float[Array, "batch m heads d"],
    new: Float[Array, "batch n heads d"],
    source: Array,
) -> Float[Array, "batch m heads d"]:
    """The old rows, and in the places with a source above -1 that row of the new ones."""
    taken = jnp.take_along_axis(new, jnp.maximum(source, 0)[:, :, None, None], axis=1)
    return jnp.where((source >= 0)[:, :, None, None], taken.astype(old.dtype), old)


def rotation(positions: Array, size: int, base: float) -> Pair:
    """Cosines and sines [batch, n, 1, size / 2] for `rotated`.

    Args:
        positions: of the tokens, [batch, n].
        size: of a head, even.
        base: its powers are the wavelengths over 2 pi, from 1 to `base`.
    """
    frequencies = base ** (-jnp.arange(0, size, 2, dtype=jnp.float32) / size)
    angles = positions.astype(jnp.float32)[..., None, None] * frequencies[None, None, None]
    return jnp.cos(angles), jnp.sin(angles)


def rotated(x: Float[Array, "batch n heads d"], turn: Pair) -> Float[Array, "batch n heads d"]:
    """Each pair (x_i, x_{i + d/2}) of a head turned by its angle, so that products see distances only.

    Reference: Su et al., 2021, arXiv 2104.09864, equation 34; the halves are paired as in GPT-NeoX.
    """
    cos, sin = (part.astype(x.dtype) for part in turn)
    a, b = jnp.split(x, 2, axis=-1)
    return jnp.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)
