"""Transformer over tokens, whatever they were cut from."""

from typing import Literal

import jax
import jax.numpy as jnp
from flax import linen
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float

from jssl.core import Encoder, Tokens
from jssl.nn import adapters

Gelu = Literal["tanh", "erf"]


def sincos(positions: Float[Array, "*batch n k"], dim: int) -> Float[Array, "*batch n {dim}"]:
    """Fixed embedding of positions with any number `k` of coordinates.

    Each coordinate fills `dim // k` entries with sines and cosines of `position / 10000**(i / half)` for
    i = 0 .. half - 1, sines first; what is left over, when `dim` is no multiple of `2 k`, stays 0.

    Reference: Vaswani et al., 2017, arXiv 1706.03762, section 3.5; for two coordinates: He et al., 2021,
    arXiv 2111.06377, appendix A.1.
    """
    *batch, _, k = positions.shape
    half = dim // (2 * k)
    frequency = 10_000.0 ** (-jnp.arange(half, dtype=jnp.float32) / half)
    angle = positions[..., None] * frequency.reshape((1,) * positions.ndim + (half,))
    embedding = jnp.concatenate([jnp.sin(angle), jnp.cos(angle)], axis=-1).reshape(*batch, -1, 2 * half * k)
    return jnp.pad(embedding, [(0, 0)] * (len(batch) + 1) + [(0, dim - 2 * half * k)])


class Attention(linen.Module):
    """Multi-head self-attention: softmax(q k' / sqrt(d)) v, with the softmax in float32."""

    heads: int
    dtype: DTypeLike

    @linen.compact
    def __call__(self, x: Float[Array, "batch n dim"]) -> Float[Array, "batch n dim"]:
        batch, n, dim = x.shape
        dense = linen.Dense(
            3 * dim, dtype=self.dtype, kernel_init=linen.initializers.xavier_uniform(), name="qkv"
        )
        # In this layout each product is one batched matmul: on a CPU 1.6 times as fast as [b, n, heads, d].
        q, k, v = dense(x).reshape(batch, n, 3, self.heads, dim // self.heads).transpose(2, 0, 3, 1, 4)
        logits = jnp.einsum("bhnd,bhmd->bhnm", q * q.shape[-1] ** -0.5, k, preferred_element_type=jnp.float32)
        weights = jax.nn.softmax(logits, axis=-1).astype(self.dtype)
        out = jnp.einsum("bhnm,bhmd->bhnd", weights, v).transpose(0, 2, 1, 3).reshape(batch, n, dim)
        return linen.Dense(
            dim, dtype=self.dtype, kernel_init=linen.initializers.xavier_uniform(), name="out"
        )(out)


class Block(linen.Module):
    """Pre-norm block: x + attention(norm(x)), then x + mlp(norm(x))."""

    heads: int
    mlp_ratio: float
    gelu: str
    drop_path: float
    dtype: DTypeLike

    @linen.compact
    def __call__(self, x: Float[Array, "batch n dim"], *, train: bool) -> Float[Array, "batch n dim"]:
        dim = x.shape[-1]
        y = linen.LayerNorm(1e-6, self.dtype, name="norm1")(x)
        x = x + self._drop(Attention(self.heads, self.dtype, name="attention")(y), train)
        y = linen.LayerNorm(1e-6, self.dtype, name="norm2")(x)
        y = self._dense(int(dim * self.mlp_ratio), "mlp1")(y)
        y = self._dense(dim, "mlp2")(linen.gelu(y, approximate=self.gelu == "tanh"))
        return x + self._drop(y, train)

    def _dense(self, size: int, name: str) -> linen.Dense:
        return linen.Dense(size, dtype=self.dtype, kernel_init=linen.initializers.xavier_uniform(), name=name)

    def _drop(self, y: Array, train: bool) -> Array:
        return linen.Dropout(self.drop_path, broadcast_dims=(1, 2))(y, deterministic=not train)


class Transformer(linen.Module):
    """Tokens embedded with their positions, behind class token and registers; blocks; norm."""

    dim: int
    depth: int
    heads: int
    mlp_ratio: float
    gelu: str
    cls_token: bool
    registers: int
    mask_token: bool
    drop_path: float
    last_blocks: int
    dtype: DTypeLike

    @linen.compact
    def __call__(self, tokens: Tokens, *, train: bool) -> Float[Array, "batch *blocks m dim"]:
        embed = linen.Dense(
            self.dim, dtype=self.dtype, kernel_init=linen.initializers.xavier_uniform(), name="embed"
        )
        x = self._hide(embed(tokens.values), tokens.masked)
        x = x + sincos(tokens.positions, self.dim).astype(self.dtype)
        x = jnp.concatenate([*self._first(len(x)), x], axis=1)
        outputs = []
        for index in range(self.depth):
            rate = self.drop_path * index / max(self.depth - 1, 1)
            x = Block(self.heads, self.mlp_ratio, self.gelu, rate, self.dtype, name=f"block{index}")(
                x, train=train
            )
            outputs.append(x)
        if self.last_blocks:
            return jnp.stack(outputs[-self.last_blocks :], axis=1)
        return linen.LayerNorm(1e-6, self.dtype, name="norm")(x)

    def _hide(self, x: Float[Array, "batch n dim"], masked: Bool[Array, "batch n"] | None) -> Array:
        """A learned vector in place of the embeddings of masked tokens."""
        if not self.mask_token:
            if masked is not None:
                raise ValueError(
                    "got tokens of which some are masked, expected masked=None: use mask_token=True"
                )
            return x
        vector = self.param("mask_token", linen.initializers.normal(0.02), (1, 1, self.dim))
        return x if masked is None else jnp.where(masked[..., None], vector.astype(x.dtype), x)

    def _first(self, batch: int) -> list[Float[Array, "batch m dim"]]:
        """The class token and the registers, which have no position."""
        found = []
        for name, num in (("cls", int(self.cls_token)), ("registers", self.registers)):
            if num:
                vectors = self.param(name, linen.initializers.normal(0.02), (1, num, self.dim))
                found.append(jnp.broadcast_to(vectors.astype(self.dtype), (batch, num, self.dim)))
        return found


def transformer(
    dim: int,
    depth: int,
    heads: int,
    *,
    mlp_ratio: float = 4.0,
    gelu: Gelu = "tanh",
    cls_token: bool = False,
    registers: int = 0,
    mask_token: bool = False,
    drop_path: float = 0.0,
    last_blocks: int = 0,
    dtype: DTypeLike = jnp.float32,
) -> Encoder:
    """A pre-norm transformer over a batch of `Tokens`, to features [batch, n, dim].

    With a class token and k registers the output is [batch, 1 + k + n, dim]: class token, registers, tokens.

    Args:
        dim: width, a multiple of `heads`.
        depth: number of blocks.
        heads: of the attention.
        mlp_ratio: width of the hidden layer of a block, in units of `dim`.
        gelu: "tanh", the fast approximation, or "erf", the exact form that PyTorch's ViTs use.
        cls_token: put one learned token before the others.
        registers: number of further learned tokens, after the class token and before the others.
        mask_token: have a learned vector that replaces the embeddings of tokens with `Tokens.masked`, before
            positions are added.
        drop_path: probability in [0, 1) to leave out a branch of the last block for an example, growing
            linearly from 0 at the first; needs `key` in `apply`.
        last_blocks: k above 0 gives the outputs of the last k blocks, [batch, k, n, dim], before the last
            norm, as `methods.data2vec` has them from its teacher. The parameters of `last_blocks=0` fit.
        dtype: of the computation; parameters are float32.

    Raises:
        ValueError: for sizes that don't fit together; in `apply`, for masked tokens without `mask_token`.

    Deviation: positions are fixed sines and cosines of any number of coordinates, none is learned.

    Reference: Dosovitskiy et al., 2020, arXiv 2010.11929, equations 1-4; stochastic depth: Huang et al.,
    2016, arXiv 1603.09382; registers: Darcet et al., 2023, arXiv 2309.16588; mask vector: Zhou et al., 2021,
    arXiv 2111.07832, section 3.
    """
    if min(dim, depth, heads) < 1 or dim % heads:
        raise ValueError(
            f"expected dim a multiple of heads and depth of 1 or more, got {dim}, {heads} and {depth}"
        )
    if gelu not in ("tanh", "erf"):
        raise ValueError(f"expected gelu='tanh' or 'erf', got {gelu!r}")
    if not 0 <= drop_path < 1 or registers < 0:
        raise ValueError(
            f"expected drop_path in [0, 1) and registers of 0 or more, got {drop_path} and {registers}"
        )
    if not 0 <= last_blocks <= depth:
        raise ValueError(f"expected last_blocks from 0 to the depth of {depth}, got {last_blocks}")
    return adapters.linen(
        Transformer(
            dim,
            depth,
            heads,
            mlp_ratio,
            gelu,
            cls_token,
            registers,
            mask_token,
            drop_path,
            last_blocks,
            dtype,
        )
    )
