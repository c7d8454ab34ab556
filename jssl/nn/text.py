"""One transformer over text: BERT, GPT-2 or a modern encoder or decoder, by its arguments."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float, Int

from jssl import ops
from jssl.core import Encoder, Text
from jssl.nn import adapters
from jssl.nn.attention import Attend, Past, Sight, attend, rotation
from jssl.nn.block import Block, BlockOptions, Gelu, Stack, check_sizes
from jssl.nn.memory import Saved

LOCAL_BASE = 10_000.0
"""Of the rotations in layers with a window."""

BERT: Mapping[str, Any] = MappingProxyType(
    {"types": 2, "post_norm": True, "embed_norm": True, "gelu": "erf", "epsilon": 1e-12}
)
"""Options of BERT and the sentence encoders made of it."""

ROBERTA: Mapping[str, Any] = MappingProxyType({**BERT, "types": 1, "epsilon": 1e-5})
"""Options of RoBERTa."""

GPT2: Mapping[str, Any] = MappingProxyType({"causal": True, "gelu": "tanh", "epsilon": 1e-5})
"""Options of GPT-2."""

MODERN: Mapping[str, Any] = MappingProxyType(
    {"rotary": 160_000.0, "gate": "gelu", "bias": False, "embed_norm": True, "epsilon": 1e-5}
)
"""Options of a modern encoder, after ModernBERT; it has `window=64` besides, and a decoder `causal=True`."""


class Cache(NamedTuple):
    """What a causal network remembers of its tokens: keys and values of each layer, and their number."""

    keys: tuple[Float[Array, "batch m heads d"], ...]
    values: tuple[Float[Array, "batch m heads d"], ...]
    lengths: Int[Array, " batch"]


class Prompt(NamedTuple):
    """The beginnings of texts, in rows as long as the texts may become; `lengths` of 1 or more are given."""

    tokens: Int[Array, "batch m"]
    lengths: Int[Array, " batch"]


class Next(NamedTuple):
    """One more token of each text, and what is remembered of those before; a row that is full gives NaN."""

    tokens: Int[Array, " batch"]
    cache: Cache


class TextTransformer(Stack):
    """Tokens embedded with positions and types; blocks; norm."""

    vocab_size: int
    dim: int
    max_length: int | None
    rotary: float | None
    causal: bool
    types: int
    embed_norm: bool
    window: int | None
    global_every: int

    @linen.compact
    def __call__(self, text: Text | Prompt | Next, *, train: bool) -> Any:
        if isinstance(text, Text):
            return self._read(text, train)
        if not self.causal:
            raise ValueError("expected a network with causal=True to go on with a text; this one looks ahead")
        return self._begin(text) if isinstance(text, Prompt) else self._go_on(text)

    def _read(self, text: Text, train: bool) -> Float[Array, "batch n dim"]:
        n = text.tokens.shape[1]
        places = jnp.arange(n)[None]
        positions, same = places, None
        if text.segments is not None:
            positions, same = segment_positions(text.segments), same_segment(text.segments)
        x = self._embed(text.tokens, positions, text.types, train)
        if text.context is not None:
            x = x + text.context[:, None].astype(x.dtype)
        x = self._blocks(x, train, self._sights(places, places, positions, same), self._kinds())
        return self._end(x)

    def _begin(self, prompt: Prompt) -> tuple[Float[Array, "batch dim"], Cache]:
        positions = jnp.arange(prompt.tokens.shape[1])[None]
        x = self._embed(prompt.tokens, positions, None, False)
        x, kept = self._kept(x, self._sights(positions, positions, positions, None), [None] * self.depth)
        last = jnp.take_along_axis(x, (prompt.lengths - 1)[:, None, None], axis=1)
        return self._end(last)[:, 0], Cache(*kept, prompt.lengths)

    def _go_on(self, following: Next) -> tuple[Float[Array, "batch dim"], Cache]:
        cache = following.cache
        positions = cache.lengths[:, None]
        x = self._embed(following.tokens[:, None], positions, None, False)
        room = cache.keys[0].shape[1]
        x = jnp.where((positions < room)[..., None], x, jnp.nan)
        places = jnp.arange(room)[None]
        source = jnp.where(places == positions, 0, -1)
        past = [(k, v, source) for k, v in zip(cache.keys, cache.values, strict=True)]
        x, kept = self._kept(x, self._sights(positions, places, positions, None), past)
        return self._end(x)[:, 0], Cache(*kept, cache.lengths + 1)

    def _kept(
        self, x: Array, sights: tuple[Sight, ...], past: Sequence[Past | None]
    ) -> tuple[Array, tuple[tuple[Array, ...], tuple[Array, ...]]]:
        """All blocks in turn, with the keys and values of each."""
        keys, values = [], []
        for index, (kind, own) in enumerate(zip(self._kinds(), past, strict=True)):
            block = Block(self.block, 0.0, False, first=index == 0, keep=True, name=f"block{index}")
            x, (k, v) = block(x, sights[kind]._replace(past=own))
            keys.append(k)
            values.append(v)
        return x, (tuple(keys), tuple(values))

    def _embed(self, tokens: Array, positions: Array, types: Array | None, train: bool) -> Array:
        x = self._look_up("tokens", self.vocab_size, tokens)
        if self.max_length is not None:
            if tokens.shape[1] > self.max_length:
                raise ValueError(
                    f"expected rows of at most max_length={self.max_length} tokens, got {tokens.shape[1]}: "
                    "make shorter rows, or a network with more positions"
                )
            x = x + self._look_up("positions", self.max_length, positions)
        if self.types:
            x = x + self._look_up("types", self.types, jnp.zeros((1, 1), int) if types is None else types)
        if self.embed_norm:
            x = self._norm("embed_norm")(x)
        if train and self.block.dropout:
            x = ops.dropout(self.make_rng("dropout"), x, self.block.dropout)
        return x

    def _look_up(self, name: str, size: int, index: Array) -> Array:
        """The table's rows; NaN for a number that it doesn't have, so that the loss shows it."""
        table = ops.as_whole(self.param(name, self.block.init, (size, self.dim))).astype(self.block.dtype)
        return table.at[index].get(mode="fill", fill_value=jnp.nan, wrap_negative_indices=False)

    def _end(self, x: Array) -> Array:
        return x if self.block.post_norm else self._norm("norm")(x)

    def _norm(self, name: str) -> linen.LayerNorm:
        block = self.block
        return linen.LayerNorm(block.epsilon, block.dtype, use_bias=block.bias, name=name)

    def _kinds(self) -> list[int]:
        """0 for a layer that sees everything, 1 for one with a window."""
        if self.window is None:
            return [0] * self.depth
        return [0 if index % self.global_every == 0 else 1 for index in range(self.depth)]

    def _sights(self, queries: Array, keys: Array, positions: Array, same: Array | None) -> tuple[Sight, ...]:
        """What layers see: everything, and all but what lies beyond the window.

        Args:
            queries: places in the row of the tokens that look, [#batch, n].
            keys: of those that are looked at, [#batch, m].
            positions: of the tokens that look in their document.
            same: [batch, 1, n, m], True within a document.
        """
        ahead = queries[:, None, :, None] - keys[:, None, None, :]
        seen = _both(same, ahead >= 0 if self.causal else None)
        sights = [Sight(seen, self._rotation(positions, self.rotary))]
        if self.window is not None:
            near = jnp.abs(ahead) <= self.window
            base = None if self.rotary is None else LOCAL_BASE
            sights.append(Sight(_both(seen, near), self._rotation(positions, base)))
            sights[0] = sights[0]._replace(mask=jnp.ones_like(near) if seen is None else seen)
        return tuple(sights)

    def _rotation(self, positions: Array, base: float | None) -> tuple[Array, Array] | None:
        return None if base is None else rotation(positions, self.dim // self.block.heads, base)


def _both(a: Array | None, b: Array | None) -> Array | None:
    return a if b is None else b if a is None else a & b


def same_segment(segments: Int[Array, "batch n"]) -> Bool[Array, "batch 1 n n"]:
    """True where two tokens are of one document; padding sees padding, so that nothing becomes NaN."""
    return segments[:, None, :, None] == segments[:, None, None, :]


def segment_positions(segments: Int[Array, "batch n"]) -> Int[Array, "batch n"]:
    """The position of each token within its document."""
    place = jnp.broadcast_to(jnp.arange(segments.shape[1])[None], segments.shape)
    begins = segments != jnp.pad(segments[:, :-1], ((0, 0), (1, 0)), constant_values=-1)
    return place - jax.lax.cummax(jnp.where(begins, place, 0), axis=1)


def text_transformer(
    vocab_size: int,
    dim: int,
    depth: int,
    heads: int,
    *,
    max_length: int | None = None,
    rotary: float | None = None,
    causal: bool = False,
    types: int = 0,
    post_norm: bool = False,
    embed_norm: bool = False,
    mlp_ratio: float = 4.0,
    gelu: Gelu = "erf",
    gate: Literal["gelu", "silu"] | None = None,
    bias: bool = True,
    epsilon: float = 1e-5,
    dropout: float = 0.0,
    window: int | None = None,
    global_every: int = 3,
    attention: Attend = attend,
    remat: Saved | None = None,
    rolled: bool = False,
    dtype: DTypeLike = jnp.float32,
) -> Encoder:
    """A transformer over a batch of `Text`, to hidden states [batch, n, dim].

    A causal one also goes on with a text, a token at a time, without computing the beginning again: it takes
    a `Prompt` or a `Next`, and gives the last hidden states [batch, dim] and a `Cache`.

    Args:
        vocab_size: tokens; a number beyond gives NaN.
        dim: width, a multiple of `heads`.
        depth: number of blocks.
        heads: of the attention.
        max_length: learned positions for rows of so many tokens; None: none.
        rotary: rotary positions, with wavelengths up to this many tokens times 2 pi; None: none.
        causal: tokens see only those before them.
        types: kinds of sentences that have an embedding; 0: none.
        post_norm: norms behind the sums, as in BERT, instead of before the branches.
        embed_norm: a norm behind the embeddings; without `post_norm` the first attention then has none of its
            own, as in ModernBERT.
        mlp_ratio: width of the hidden layer of a block, in units of `dim`.
        gelu: "erf", the exact form, or "tanh", the approximation of GPT-2.
        gate: "gelu" (GeGLU) or "silu" (SwiGLU): a gated hidden layer, two thirds as wide.
        bias: of linear layers and norms.
        epsilon: of the norms.
        dropout: of embeddings, the attention's weights and each branch; needs `key` in `apply`.
        window: most layers see only tokens at most so far away; None: all see everything.
        global_every: every so-manieth layer, from the first on, sees everything nevertheless.
        attention: `(q, k, v, mask=mask) -> out`, as `nn.attend`. Dropout has its own.
        remat: compute each block again in the backward pass, but for what is named (see `nn.in_pieces`).
        rolled: have one block in the program and run it in a loop, which compiles faster.
        dtype: of the computation; parameters are float32.

    Raises:
        ValueError: for sizes that don't fit together; in `apply`, for rows longer than `max_length`, and a
            `Prompt` to a network that looks ahead.

    Example:
        bert = nn.text_transformer(30522, 768, 12, 12, max_length=512, dropout=0.1, **nn.BERT)
        gpt2 = nn.text_transformer(50257, 768, 12, 12, max_length=1024, **nn.GPT2)
        modern = nn.text_transformer(50368, 768, 22, 12, mlp_ratio=2.25, window=64, **nn.MODERN)

    Deviation: kernels of a causal network that write into the sum start smaller, as GPT-2's, and so do
    those of any other network with norms before its branches.

    Reference: Devlin et al., 2018, arXiv 1810.04805; Radford et al., 2019, Language models are unsupervised
    multitask learners; Su et al., 2021, arXiv 2104.09864 (rotary positions); Shazeer, 2020, arXiv 2002.05202
    (GeGLU); Warner et al., 2024, arXiv 2412.13663 (ModernBERT).
    """
    check_sizes(dim, depth, heads, drop_path=0.0)
    if rotary is not None and dim // heads % 2:
        raise ValueError(f"expected heads of an even size for rotary positions, got {dim // heads}")
    if min(vocab_size, global_every, max_length or 1, window or 1) < 1 or types < 0:
        raise ValueError(
            "expected vocab_size, global_every, max_length and window of 1 or more and types of 0 or more, "
            f"got {vocab_size}, {global_every}, {max_length}, {window} and {types}"
        )
    normal = linen.initializers.normal
    block = BlockOptions(
        heads=heads,
        mlp_ratio=mlp_ratio,
        gelu=gelu,
        gate=gate,
        bias=bias,
        qkv_bias=bias,
        epsilon=epsilon,
        post_norm=post_norm,
        first_norm=post_norm or not embed_norm,
        dropout=dropout,
        attend=attention,
        init=normal(0.02),
        out_init=None if post_norm else normal(0.02 / (2 * depth) ** 0.5),
        dtype=dtype,
    )
    block.check()
    return adapters.linen(
        TextTransformer(
            depth=depth,
            block=block,
            drop_path=0.0,
            last_blocks=0,
            remat=remat,
            rolled=rolled,
            vocab_size=vocab_size,
            dim=dim,
            max_length=max_length,
            rotary=rotary,
            causal=causal,
            types=types,
            embed_norm=embed_norm,
            window=window,
            global_every=global_every,
        )
    )
