"""Transformer over tokens, whatever they were cut from."""

from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float

from jssl import ops
from jssl.core import Encoder, Tokens
from jssl.nn import adapters
from jssl.nn.attention import Attend, SelfAttention, attend
from jssl.nn.dense import Dense
from jssl.nn.memory import Saved, policy
from jssl.nn.positions import Grid, grid_positions, sincos

Gelu = Literal["tanh", "erf"]


class BlockOptions(NamedTuple):
    """What all blocks of a transformer share."""

    heads: int
    mlp_ratio: float
    gelu: str
    swiglu: bool
    qkv_bias: bool
    layer_scale: float | None
    epsilon: float
    attend: Attend
    dtype: DTypeLike


class Block(linen.Module):
    """Pre-norm block: x + attention(norm(x)), then x + mlp(norm(x))."""

    options: BlockOptions
    drop_path: float | Float[Array, ""]
    train: bool

    @linen.compact
    def __call__(self, x: Float[Array, "batch n dim"]) -> Float[Array, "batch n dim"]:
        options = self.options
        attention = SelfAttention(
            options.heads, options.qkv_bias, options.attend, options.dtype, name="attention"
        )
        x = x + self._branch(attention(self._norm(x, "norm1")), "scale1")
        return x + self._branch(self._mlp(self._norm(x, "norm2")), "scale2")

    def _norm(self, x: Array, name: str) -> Array:
        return linen.LayerNorm(self.options.epsilon, self.options.dtype, name=name)(x)

    def _mlp(self, x: Array) -> Array:
        dim, hidden = x.shape[-1], int(x.shape[-1] * self.options.mlp_ratio)
        if not self.options.swiglu:
            # A CPU computes it again faster than it reads what would be kept of it.
            gelu = jax.checkpoint(partial(linen.gelu, approximate=self.options.gelu == "tanh"))
            return self._dense(dim, "mlp2")(gelu(self._dense(hidden, "mlp1")(x)))
        gate, y = jnp.split(self._dense(2 * swiglu_size(hidden), "mlp1")(x), 2, axis=-1)
        return self._dense(dim, "mlp2")(linen.silu(gate) * y)

    def _dense(self, size: int, name: str) -> linen.Dense:
        init = linen.initializers.xavier_uniform()
        return Dense(size, dtype=self.options.dtype, kernel_init=init, name=name)

    def _branch(self, y: Array, name: str) -> Array:
        if self.options.layer_scale is not None:
            scale = self.param(name, linen.initializers.constant(self.options.layer_scale), y.shape[-1:])
            y = y * scale.astype(y.dtype).reshape(1, 1, -1)
        if not self.train or (isinstance(self.drop_path, float) and self.drop_path == 0):
            return y
        keep = 1 - self.drop_path
        kept = jax.random.bernoulli(self.make_rng("dropout"), keep, (len(y), 1, 1))
        return jnp.where(kept, y / jnp.asarray(keep, y.dtype), 0)


def swiglu_size(hidden: int) -> int:
    """Two thirds of the size that a plain hidden layer has, rounded up to a multiple of 8."""
    return (hidden * 2 // 3 + 7) // 8 * 8


class Transformer(linen.Module):
    """Tokens embedded with their positions, behind class token and registers; blocks; norm."""

    dim: int
    depth: int
    block: BlockOptions
    positions: Grid | None
    cls_token: bool
    registers: int
    mask_token: bool
    drop_path: float
    last_blocks: int
    remat: Saved | None
    rolled: bool

    @linen.compact
    def __call__(self, tokens: Tokens, *, train: bool) -> Float[Array, "batch *blocks m dim"]:
        embed = Dense(
            self.dim,
            dtype=self.block.dtype,
            kernel_init=linen.initializers.xavier_uniform(),
            name="embed",
        )
        x = self._hide(embed(tokens.values), tokens.masked)
        place = jnp.broadcast_to(self._place(tokens.positions), x.shape)
        x = jnp.concatenate([*self._first(len(x)), x + place], axis=1)
        in_a_loop = self.rolled and not self.is_initializing()
        x = (self._in_a_loop if in_a_loop else self._in_turn)(x, train)
        if self.last_blocks:
            return x
        return linen.LayerNorm(self.block.epsilon, self.block.dtype, name="norm")(x)

    def _rate(self, index: int) -> float:
        return self.drop_path * index / max(self.depth - 1, 1)

    def _in_turn(self, x: Array, train: bool) -> Array:
        """The result of all blocks, or those of the last ones."""
        block = linen.remat(Block, policy=policy(self.remat)) if self.remat else Block
        outputs = []
        for index in range(self.depth):
            x = block(self.block, self._rate(index), train, name=f"block{index}")(x)
            outputs.append(x)
        return jnp.stack(outputs[-self.last_blocks :], axis=1) if self.last_blocks else x

    def _in_a_loop(self, x: Array, train: bool) -> Array:
        """The same with one block in the program, which takes the parameters of each in turn."""
        params = [self.variables["params"][f"block{index}"] for index in range(self.depth)]
        stacked = jax.tree.map(lambda *own: jnp.stack(own), *params)
        dropping = train and self.drop_path > 0
        rates = jnp.array([self._rate(index) for index in range(self.depth)]) if dropping else None
        keys = jax.random.split(self.make_rng("dropout"), self.depth) if dropping else None

        def run(x: Array, own: Any) -> tuple[Array, Array | None]:
            params, rate, key = own
            x = ops.as_batch(x)
            block = Block(self.block, 0.0 if rate is None else rate, train, parent=None)
            y: Any = block.apply({"params": params}, x, rngs={} if key is None else {"dropout": key})
            return y, y if self.last_blocks else None

        if self.remat:
            run = jax.checkpoint(run, policy=policy(self.remat), prevent_cse=False)
        x, outputs = jax.lax.scan(run, x, (stacked, rates, keys))
        return x if outputs is None else jnp.moveaxis(outputs[-self.last_blocks :], 0, 1)

    def _hide(self, x: Float[Array, "batch n dim"], masked: Bool[Array, "batch n"] | None) -> Array:
        """A learned vector in place of the embeddings of masked tokens."""
        if not self.mask_token:
            if masked is not None:
                raise ValueError(
                    "got tokens of which some are masked, expected masked=None: use mask_token=True"
                )
            return x
        vector = self._vectors("mask_token", 1)
        return x if masked is None else jnp.where(masked[..., None], vector.astype(x.dtype), x)

    def _place(self, positions: Float[Array, "*batch n k"]) -> Float[Array, "*batch n dim"]:
        if self.positions is None:
            return sincos(positions, self.dim).astype(self.block.dtype)
        shape = (*self.positions.sizes, self.dim)
        table = ops.as_whole(self.param("positions", linen.initializers.normal(0.02), shape))
        return grid_positions(table, positions, self.positions).astype(self.block.dtype)

    def _first(self, batch: int) -> list[Float[Array, "batch m dim"]]:
        """The class token, with its learned position if there is one, and the registers, which have none."""
        found = []
        for name, num in (("cls", int(self.cls_token)), ("registers", self.registers)):
            if num:
                vectors = self._vectors(name, num)
                if name == "cls" and self.positions is not None and self.positions.cls:
                    vectors = vectors + self._vectors("cls_position", 1)
                found.append(jnp.broadcast_to(vectors.astype(self.block.dtype), (batch, num, self.dim)))
        return found

    def _vectors(self, name: str, num: int) -> Float[Array, "1 {num} {self.dim}"]:
        return self.param(name, linen.initializers.normal(0.02), (1, num, self.dim))


def transformer(
    dim: int,
    depth: int,
    heads: int,
    *,
    mlp_ratio: float = 4.0,
    gelu: Gelu = "tanh",
    swiglu: bool = False,
    qkv_bias: bool = True,
    layer_scale: float | None = None,
    epsilon: float = 1e-6,
    positions: Grid | None = None,
    cls_token: bool = False,
    registers: int = 0,
    mask_token: bool = False,
    drop_path: float = 0.0,
    last_blocks: int = 0,
    attention: Attend = attend,
    remat: Saved | None = None,
    rolled: bool = False,
    dtype: DTypeLike = jnp.float32,
) -> Encoder:
    """A pre-norm transformer over a batch of `Tokens`, to features [batch, n, dim].

    Positions are [batch, n, k], or [n, k] where all examples have the same.

    With a class token and k registers the output is [batch, 1 + k + n, dim]: class token, registers, tokens.

    Args:
        dim: width, a multiple of `heads`.
        depth: number of blocks.
        heads: of the attention.
        mlp_ratio: width of the hidden layer of a block, in units of `dim`.
        gelu: "tanh", the fast approximation, or "erf", the exact form that PyTorch's ViTs use.
        swiglu: `(silu(x W_1) * x W_2) W_3` in place of GELU, two thirds as wide so that it costs the same.
        qkv_bias: biases of queries, keys and values.
        layer_scale: start of a learned scale of each branch's channels, as 1e-5; None: no scale.
        epsilon: of the layer norms.
        positions: None: fixed sines and cosines of the tokens' positions; `Grid((14, 14))`: learned ones.
        cls_token: put one learned token before the others.
        registers: number of further learned tokens, after the class token and before the others.
        mask_token: have a learned vector that replaces the embeddings of tokens with `Tokens.masked`, before
            positions are added.
        drop_path: probability in [0, 1) to leave out a branch of the last block for an example, growing
            linearly from 0 at the first; needs `key` in `apply`.
        last_blocks: k above 0 gives the outputs of the last k blocks, [batch, k, n, dim], before the last
            norm, as `methods.data2vec` has them from its teacher. The parameters of `last_blocks=0` fit.
        attention: `(q, k, v) -> out`, all [batch, n, heads, d], as `nn.attend` or, for long sequences on an
            NVIDIA GPU, `partial(jax.nn.dot_product_attention, implementation="cudnn")`.
        remat: compute each block again in the backward pass, but for what is named (see `nn.in_pieces`): with
            "nothing", memory for one block and a third more time.
        rolled: have one block in the program and run it in a loop, for deep networks: it compiles in a
            fraction of the time, for a copy of the blocks' parameters. The result is the same. Name a `remat`
            with it: a loop keeps all that its blocks make, where XLA would compute some of it again.
        dtype: of the computation; parameters are float32.

    Raises:
        ValueError: for sizes that don't fit together; in `apply`, for masked tokens without `mask_token`, and
            for learned positions of tokens that don't say where they lie relative to the example.

    Deviation: positions are fixed by default, where the paper learns them.

    Reference: Dosovitskiy et al., 2020, arXiv 2010.11929, equations 1-4; stochastic depth: Huang et al.,
    2016, arXiv 1603.09382; layer scale: Touvron et al., 2021, arXiv 2103.17239; SwiGLU: Shazeer, 2020,
    arXiv 2002.05202; registers: Darcet et al., 2023, arXiv 2309.16588; mask vector: Zhou et al., 2021,
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
    if positions is not None:
        positions.check()
    block = BlockOptions(heads, mlp_ratio, gelu, swiglu, qkv_bias, layer_scale, epsilon, attention, dtype)
    return adapters.linen(
        Transformer(
            dim,
            depth,
            block,
            positions,
            cls_token,
            registers,
            mask_token,
            drop_path,
            last_blocks,
            remat,
            rolled,
        )
    )
