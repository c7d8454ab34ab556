"""Vision transformer: a tokenizer, a transformer over its tokens, and a pool."""

from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float, PRNGKeyArray

from jssl.core import Encoder, Tokenizer, Tree, Variables
from jssl.nn.transformer import Gelu, transformer


def vit(
    tokenizer: Tokenizer,
    dim: int,
    depth: int,
    heads: int,
    *,
    pool: Literal["mean", "cls", "flatten"] = "mean",
    mlp_ratio: float = 4.0,
    gelu: Gelu = "tanh",
    drop_path: float = 0.0,
    dtype: DTypeLike = jnp.float32,
) -> Encoder:
    """A transformer with one feature vector for each example: a batch of examples to [batch, dim].

    Images of any size that the tokenizer cuts are taken by the same parameters, since positions are fixed
    functions of the coordinates; with pool="mean" they are those of `nn.transformer`, such as MAE's encoder.
    ViT-S/16 is `vit(patches(16), 384, 12, 6)`, ViT-B/16 is `vit(patches(16), 768, 12, 12)`.

    Args:
        tokenizer: of one example, as `nn.patches(16)`.
        dim: width, a multiple of `heads`.
        depth: number of blocks.
        heads: of the attention.
        pool: "mean" of the tokens' features, the features of a learned "cls" token, or "flatten": all tokens'
            features side by side, for small examples of one size.
        mlp_ratio: see `transformer`, as for the rest.
        gelu: "tanh" or "erf".
        drop_path: stochastic depth of the last block.
        dtype: of the computation; the result is float32.

    Reference: Dosovitskiy et al., 2020, arXiv 2010.11929.
    """
    if pool not in ("mean", "cls", "flatten"):
        raise ValueError(f"expected pool='mean', 'cls' or 'flatten', got {pool!r}")
    blocks = transformer(
        dim,
        depth,
        heads,
        mlp_ratio=mlp_ratio,
        gelu=gelu,
        cls_token=pool == "cls",
        drop_path=drop_path,
        dtype=dtype,
    )

    def init(key: PRNGKeyArray, x: Any) -> Variables:
        return blocks.init(key, jax.vmap(tokenizer)(x))

    def apply(
        variables: Variables, x: Any, *, train: bool, key: PRNGKeyArray | None = None
    ) -> tuple[Any, Tree]:
        features, stats = blocks.apply(variables, jax.vmap(tokenizer)(x), train=train, key=key)
        return features[:, 0].astype(jnp.float32) if pool == "cls" else pool_tokens(features, pool), stats

    return Encoder(init, apply)


def pool_tokens(
    features: Float[Array, "batch n dim"], pool: Literal["mean", "flatten"]
) -> Float[Array, "batch pooled"]:
    """One float32 feature vector for each example: the mean over its tokens, or all of them side by side."""
    if pool == "flatten":
        return features.reshape(len(features), -1).astype(jnp.float32)
    return jnp.mean(features, axis=1, dtype=jnp.float32)
