"""Vision transformer: a tokenizer, a transformer over its tokens, and a pool."""

from types import MappingProxyType
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from jssl.core import Encoder, Tokenizer, Tokens, Tree, Variables
from jssl.nn.transformer import transformer

VIT_SIZES = MappingProxyType(
    {
        "tiny": (192, 12, 3),
        "small": (384, 12, 6),
        "base": (768, 12, 12),
        "large": (1024, 24, 16),
        "huge": (1280, 32, 16),
        "giant": (1536, 40, 24),
    }
)
"""Width, depth and heads of the published sizes: `vit(patches(16), *VIT_SIZES["small"])` is ViT-S/16."""


def vit(
    tokenizer: Tokenizer,
    dim: int,
    depth: int,
    heads: int,
    *,
    pool: Literal["mean", "cls", "flatten"] = "mean",
    cls_token: bool | None = None,
    registers: int = 0,
    **options: Any,
) -> Encoder:
    """A transformer with one feature vector for each example: a batch of examples to [batch, dim].

    Images of any size that the tokenizer cuts are taken by the same parameters, which are those of
    `nn.transformer` with the same options, such as MAE's encoder. ViT-S/16 is
    `vit(patches(16), *VIT_SIZES["small"])`; with learned positions, too:
    `vit(patches(16, relative=True), *VIT_SIZES["small"], positions=Grid((14, 14)))`.

    Args:
        tokenizer: of one example, as `nn.patches(16)`.
        dim: width, a multiple of `heads`.
        depth: number of blocks.
        heads: of the attention.
        pool: "mean" of the tokens' features, the features of a learned "cls" token, or "flatten": all tokens'
            features side by side, for small examples of one size. "mean" and "flatten" leave the class token
            and the registers out.
        cls_token: None: where the pool is "cls".
        registers: see `transformer`.
        options: the other options of `transformer`. The result is float32 whatever the `dtype`.

    Raises:
        ValueError: for an unknown pool, or one of a class token that isn't there.

    Reference: Dosovitskiy et al., 2020, arXiv 2010.11929, table 1; ViT-S: Touvron et al., 2020,
    arXiv 2012.12877, table 1; giant: Oquab et al., 2023, arXiv 2304.07193, table 17.
    """
    if pool not in ("mean", "cls", "flatten"):
        raise ValueError(f"expected pool='mean', 'cls' or 'flatten', got {pool!r}")
    cls_token = pool == "cls" if cls_token is None else cls_token
    if pool == "cls" and not cls_token:
        raise ValueError("pool='cls' needs the class token: leave cls_token=None, or pool='mean'")
    blocks = transformer(dim, depth, heads, cls_token=cls_token, registers=registers, **options)

    def init(key: PRNGKeyArray, x: Any) -> Variables:
        return blocks.init(key, _tokens(tokenizer, x))

    def apply(
        variables: Variables, x: Any, *, train: bool, key: PRNGKeyArray | None = None
    ) -> tuple[Any, Tree]:
        features, stats = blocks.apply(variables, _tokens(tokenizer, x), train=train, key=key)
        if pool == "cls":
            return features[:, 0].astype(jnp.float32), stats
        return pool_tokens(features[:, int(cls_token) + registers :], pool), stats

    return Encoder(init, apply)


def _tokens(tokenizer: Tokenizer, x: Any) -> Tokens:
    """The tokens of a batch; positions that no example's content changes are kept once, for all of them."""
    try:
        return jax.vmap(tokenizer, out_axes=Tokens._make((0, None, None)))(x)
    except ValueError:  # positions differ from example to example
        return jax.vmap(tokenizer)(x)


def pool_tokens(
    features: Float[Array, "batch n dim"], pool: Literal["mean", "flatten"]
) -> Float[Array, "batch pooled"]:
    """One float32 feature vector for each example: the mean over its tokens, or all of them side by side."""
    if pool == "flatten":
        return features.reshape(len(features), -1).astype(jnp.float32)
    return jnp.mean(features, axis=1, dtype=jnp.float32)
