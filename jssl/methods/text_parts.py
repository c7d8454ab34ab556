"""What methods of text share: rows from the batch, scores of tokens, features of a row."""

from typing import Literal, get_args

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jssl import losses
from jssl.core import Batch, Encoder, Share, Text, Tree, Variables
from jssl.losses import TokenLoss
from jssl.methods.parts import field

Pool = Literal["mean", "first", "last"]
"""What a row's features are: the mean of its tokens' hidden states, the first one's, or the last one's."""


def text_of(batch: Batch, inputs: str) -> Text:
    """The rows of a batch, with their "segments" and "types" where it has them."""
    return Text(field(batch, inputs), batch.get("segments"), batch.get("types"))


def padded(tokens: Int[Array, "batch n"], pad: int | None) -> Text:
    """Rows of one document each, of which all tokens count but padding."""
    return Text(tokens, None if pad is None else (tokens != pad).astype(jnp.int32))


def check_pool(pool: str) -> None:
    """Refuse another name than one of `Pool`."""
    if pool not in get_args(Pool):
        raise ValueError(f"expected pool to be one of {', '.join(get_args(Pool))}, got {pool!r}")


def pooled(
    h: Float[Array, "batch n dim"], segments: Int[Array, "batch n"] | None, pool: Pool
) -> Float[Array, "batch dim"]:
    """One feature vector for each row, in float32; padding does not count."""
    h = h.astype(jnp.float32)
    if pool == "first":
        return h[:, 0]
    counted = jnp.ones(h.shape[:2]) if segments is None else (segments > 0).astype(jnp.float32)
    if pool == "last":
        place = jnp.maximum(jnp.sum(counted, axis=1).astype(jnp.int32) - 1, 0)
        return jnp.take_along_axis(h, place[:, None, None], axis=1)[:, 0]
    total = jnp.sum(h * counted[..., None], axis=1)
    return total / jnp.maximum(jnp.sum(counted, axis=1), 1.0)[:, None]


def token_loss(
    h: Float[Array, "batch k dim"],
    table: Float[Array, "vocab dim"],
    targets: Int[Array, "batch k"],
    weights: Float[Array, "batch k"],
    bias: Float[Array, " vocab"] | None = None,
) -> TokenLoss:
    """The loss of predictions by the network's own token embeddings, over all rows."""
    rows = h.reshape(-1, h.shape[-1])
    return losses.tied_cross_entropy(rows, table, targets.reshape(-1), weights.reshape(-1), bias=bias)


def at(h: Float[Array, "batch n dim"], places: Int[Array, "batch k"]) -> Float[Array, "batch k dim"]:
    """The hidden states of some places of each row."""
    return jnp.take_along_axis(h, places[..., None], axis=1)


def token_table(params: Tree) -> Float[Array, "vocab dim"]:
    """The token embeddings of a text transformer.

    Raises:
        ValueError: for another network, which has none to predict tokens by.
    """
    if not (isinstance(params, dict) and "tokens" in params):
        raise ValueError(
            "expected an encoder with token embeddings to predict tokens by, nn.text_transformer(...); got "
            f"one with the parameters {sorted(params) if isinstance(params, dict) else type(params).__name__}"
        )
    return params["tokens"]


def counted(batch: Batch, weights: Float[Array, "batch k"]) -> Float[Array, "batch k"]:
    """The weights, 0 in examples that only fill the batch up."""
    return weights * batch["weight"][:, None] if "weight" in batch else weights


def shares(loss: TokenLoss, weights: Array, name: str) -> dict[str, Share]:
    """Loss and accuracy of tokens as shares of sums over several batches."""
    count = jnp.sum(weights)
    return {"loss": Share(loss.loss * count, count), name: Share(loss.accuracy * count, count)}


def embed_text(
    encoder: Encoder, params: Tree, stats: Tree, tokens: Int[Array, "batch n"], pad: int | None, pool: Pool
) -> Float[Array, "batch dim"]:
    """Features of padded rows, one document each, in float32 and without dropout."""
    text = padded(tokens, pad)
    h, _ = encoder.apply(Variables(params, stats), text, train=False)
    return pooled(h, text.segments, pool)
