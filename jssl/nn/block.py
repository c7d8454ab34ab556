"""The blocks that every transformer here is made of, in turn or as one block in a loop."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jssl import ops
from jssl.nn.attention import Attend, SelfAttention, Sight, attend
from jssl.nn.dense import Dense
from jssl.nn.memory import Saved, policy

Gelu = Literal["tanh", "erf"]

XAVIER = linen.initializers.xavier_uniform()

EVERYTHING = (Sight(),)
"""Every token sees all tokens of its example, in all layers."""


class BlockOptions(NamedTuple):
    """What all blocks of a transformer share.

    Attributes:
        heads: of the attention.
        mlp_ratio: width of the hidden layer, in units of the block's width.
        gelu: "tanh", the fast approximation, or "erf", the exact form.
        gate: None; "silu" (SwiGLU) or "gelu" (GeGLU): one half of the hidden layer opens the other.
        bias: of all linear layers and norms; `qkv_bias` says otherwise for queries, keys and values.
        layer_scale: start of a learned scale of each branch's channels; None: no scale.
        post_norm: norms behind the sums instead of before the branches.
        first_norm: a norm before the first attention of all, too; where the embeddings have one, it is one
            too many.
        dropout: of the attention's weights and of each branch.
        init: of kernels; `out_init` of those that write into the sum, where it is another.
    """

    heads: int
    mlp_ratio: float = 4.0
    gelu: str = "tanh"
    gate: str | None = None
    bias: bool = True
    qkv_bias: bool = True
    layer_scale: float | None = None
    epsilon: float = 1e-6
    post_norm: bool = False
    first_norm: bool = True
    dropout: float = 0.0
    attend: Attend = attend
    init: Callable[..., Array] = XAVIER
    out_init: Callable[..., Array] | None = None
    dtype: DTypeLike = jnp.float32

    def check(self) -> None:
        """Raise a ValueError for options out of range."""
        if self.gelu not in ("tanh", "erf"):
            raise ValueError(f"expected gelu='tanh' or 'erf', got {self.gelu!r}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"expected dropout in [0, 1), got {self.dropout}")


class Block(linen.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)); or norm(x + attention(x)), then norm(x + mlp(x))."""

    options: BlockOptions
    drop_path: float | Float[Array, ""]
    train: bool
    first: bool = False
    keep: bool = False

    @linen.compact
    def __call__(self, x: Float[Array, "batch n dim"], sight: Sight) -> tuple[Array, Any]:
        """The result, and the keys and values if `keep`."""
        options = self.options
        attention = SelfAttention(
            options.heads,
            options.qkv_bias,
            options.attend,
            options.dtype,
            options.init,
            out_bias=options.bias,
            out_init=options.out_init,
            dropout=options.dropout,
            keep=self.keep,
            name="attention",
        )
        after = options.post_norm
        bare = after or (self.first and not options.first_norm)
        y, kept = attention(x if bare else self._norm(x, "norm1"), sight, self.train)
        x = x + self._branch(y, "scale1")
        x = self._norm(x, "norm1") if after else x
        x = x + self._branch(self._mlp(x if after else self._norm(x, "norm2")), "scale2")
        return self._norm(x, "norm2") if after else x, kept

    def _norm(self, x: Array, name: str) -> Array:
        options = self.options
        return linen.LayerNorm(options.epsilon, options.dtype, use_bias=options.bias, name=name)(x)

    def _mlp(self, x: Array) -> Array:
        options = self.options
        dim, hidden = x.shape[-1], int(x.shape[-1] * options.mlp_ratio)
        out = self._dense(dim, "mlp2", options.out_init or options.init)
        gelu = partial(linen.gelu, approximate=options.gelu == "tanh")
        if options.gate is None:
            # A CPU computes it again faster than it reads what would be kept of it.
            return out(jax.checkpoint(gelu)(self._dense(hidden, "mlp1", options.init)(x)))
        both = self._dense(2 * gated_size(hidden), "mlp1", options.init)(x)
        gate, y = jnp.split(both, 2, axis=-1)
        return out((linen.silu if options.gate == "silu" else gelu)(gate) * y)

    def _dense(self, size: int, name: str, init: Callable[..., Array]) -> linen.Dense:
        return Dense(size, self.options.bias, dtype=self.options.dtype, kernel_init=init, name=name)

    def _branch(self, y: Array, name: str) -> Array:
        options = self.options
        if self.train and options.dropout:
            y = ops.dropout(self.make_rng("dropout"), y, options.dropout)
        if options.layer_scale is not None:
            scale = self.param(name, linen.initializers.constant(options.layer_scale), y.shape[-1:])
            y = y * scale.astype(y.dtype).reshape(1, 1, -1)
        if not self.train or (isinstance(self.drop_path, float) and self.drop_path == 0):
            return y
        keep = 1 - self.drop_path
        kept = jax.random.bernoulli(self.make_rng("dropout"), keep, (len(y), 1, 1))
        return jnp.where(kept, y / jnp.asarray(keep, y.dtype), 0)


def gated_size(hidden: int) -> int:
    """Two thirds of the size that a plain hidden layer has, rounded up to a multiple of 8."""
    return (hidden * 2 // 3 + 7) // 8 * 8


class Stack(linen.Module):
    """Blocks on top of each other; a transformer derives from it and says what comes before and behind."""

    depth: int
    block: BlockOptions
    drop_path: float
    last_blocks: int
    remat: Saved | None
    rolled: bool

    def _blocks(
        self, x: Array, train: bool, sights: Sequence[Sight] = EVERYTHING, kinds: Sequence[int] | None = None
    ) -> Array:
        """The result of all blocks, or those of the last ones.

        Args:
            sights: the kinds of what layers see.
            kinds: which of them each layer has; None: all have the first.
        """
        kinds = [0] * self.depth if kinds is None else kinds
        if not self.rolled or self.is_initializing():
            return self._in_turn(x, train, sights, kinds)
        if self.block.first_norm:
            return self._in_a_loop(x, train, sights, kinds, 0)
        x = self._in_turn(x, train, sights, kinds[:1])
        return self._in_a_loop(x, train, sights, kinds, 1) if self.depth > 1 else x

    def _rate(self, index: int) -> float:
        return self.drop_path * index / max(self.depth - 1, 1)

    def _in_turn(self, x: Array, train: bool, sights: Sequence[Sight], kinds: Sequence[int]) -> Array:
        block = linen.remat(Block, policy=policy(self.remat)) if self.remat else Block
        outputs = []
        for index, kind in enumerate(kinds):
            own = block(self.block, self._rate(index), train, first=index == 0, name=f"block{index}")
            x, _ = own(x, sights[kind])
            outputs.append(x)
        return jnp.stack(outputs[-self.last_blocks :], axis=1) if self.last_blocks else x

    def _in_a_loop(
        self, x: Array, train: bool, sights: Sequence[Sight], kinds: Sequence[int], begin: int
    ) -> Array:
        """The same with one block in the program, which takes the parameters of each from `begin` on."""
        indices = range(begin, self.depth)
        params = [self.variables["params"][f"block{index}"] for index in indices]
        stacked = jax.tree.map(lambda *own: jnp.stack(own), *params)
        leaving_out = train and self.drop_path > 0
        rates = jnp.array([self._rate(index) for index in indices]) if leaving_out else None
        drawing = leaving_out or (train and self.block.dropout > 0)
        keys = jax.random.split(self.make_rng("dropout"), len(indices)) if drawing else None
        several = len(sights) > 1
        choice = jax.tree.map(lambda *own: jnp.stack(own), *sights) if several else sights[0]

        def run(x: Array, own: Any) -> tuple[Array, Array | None]:
            params, rate, key, kind = own
            x = ops.as_batch(x)
            sight = jax.tree.map(lambda each: each[kind], choice) if several else choice
            block = Block(self.block, 0.0 if rate is None else rate, train, parent=None)
            rngs = {} if key is None else {"dropout": key}
            y: Any = block.apply({"params": params}, x, sight, rngs=rngs)[0]
            return y, y if self.last_blocks else None

        if self.remat:
            run = jax.checkpoint(run, policy=policy(self.remat), prevent_cse=False)
        own = (stacked, rates, keys, jnp.asarray(kinds[begin:]) if several else None)
        x, outputs = jax.lax.scan(run, x, own)
        return x if outputs is None else jnp.moveaxis(outputs[-self.last_blocks :], 0, 1)


def check_sizes(dim: int, depth: int, heads: int, drop_path: float) -> None:
    """Raise a ValueError for sizes that don't fit together."""
    if min(dim, depth, heads) < 1 or dim % heads:
        raise ValueError(
            f"expected dim a multiple of heads and depth of 1 or more, got {dim}, {heads} and {depth}"
        )
    if not 0 <= drop_path < 1:
        raise ValueError(f"expected drop_path in [0, 1), got {drop_path}")
