"""Transformer over tokens, whatever they were cut from."""

import jax.numpy as jnp
from flax import linen
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float

from jssl import ops
from jssl.core import Encoder, Tokens
from jssl.nn import adapters
from jssl.nn.attention import Attend, attend
from jssl.nn.block import BlockOptions, Gelu, Stack, check_sizes
from jssl.nn.dense import Dense
from jssl.nn.memory import Saved
from jssl.nn.positions import Grid, grid_positions, sincos


class Transformer(Stack):
    """Tokens embedded with their positions, behind class token and registers; blocks; norm."""

    dim: int
    positions: Grid | None
    cls_token: bool
    registers: int
    mask_token: bool

    @linen.compact
    def __call__(self, tokens: Tokens, *, train: bool) -> Float[Array, "batch *blocks m dim"]:
        embed = Dense(self.dim, dtype=self.block.dtype, kernel_init=self.block.init, name="embed")
        x = self._hide(embed(tokens.values), tokens.masked)
        place = jnp.broadcast_to(self._place(tokens.positions), x.shape)
        x = jnp.concatenate([*self._first(len(x)), x + place], axis=1)
        x = self._blocks(x, train)
        if self.last_blocks:
            return x
        return linen.LayerNorm(self.block.epsilon, self.block.dtype, name="norm")(x)

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
    check_sizes(dim, depth, heads, drop_path)
    if registers < 0:
        raise ValueError(f"expected registers of 0 or more, got {registers}")
    if not 0 <= last_blocks <= depth:
        raise ValueError(f"expected last_blocks from 0 to the depth of {depth}, got {last_blocks}")
    if positions is not None:
        positions.check()
    block = BlockOptions(
        heads=heads,
        mlp_ratio=mlp_ratio,
        gelu=gelu,
        gate="silu" if swiglu else None,
        qkv_bias=qkv_bias,
        layer_scale=layer_scale,
        epsilon=epsilon,
        attend=attention,
        dtype=dtype,
    )
    block.check()
    return adapters.linen(
        Transformer(
            depth=depth,
            block=block,
            drop_path=drop_path,
            last_blocks=last_blocks,
            remat=remat,
            rolled=rolled,
            dim=dim,
            positions=positions,
            cls_token=cls_token,
            registers=registers,
            mask_token=mask_token,
        )
    )
