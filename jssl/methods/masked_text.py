"""What `mlm` and `bert` share: the encoder of masked rows, and the prediction of what is hidden."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jssl import nn
from jssl.core import Batch, Encoder, Text, Tree, Variables, example_keys
from jssl.losses import TokenLoss
from jssl.methods import text_parts as parts
from jssl.pretext.text import MaskedTokens

MaskFunction: TypeAlias = Callable[..., MaskedTokens]
"""`(key, tokens, segments=...) -> MaskedTokens`, of one row; without segments if the batch has none."""


class Prediction(NamedTuple):
    """Hidden states of the masked rows, the loss of what was hidden, and the weights of its places."""

    h: Float[Array, "batch n dim"]
    loss: TokenLoss
    weights: Float[Array, "batch k"]


def init(key: PRNGKeyArray, encoder: Encoder, head: Encoder, text: Text) -> Variables:
    """Parameters "encoder", "head" and "token_bias"."""
    encoder_key, head_key = jax.random.split(key)
    variables = encoder.init(encoder_key, text)
    table = parts.token_table(variables.params)
    h = nn.output_like(encoder, variables, text)
    head_variables = head.init(head_key, h)
    params = {
        "encoder": variables.params,
        "head": head_variables.params,
        "token_bias": jnp.zeros(len(table)),
    }
    return Variables(params, {"encoder": variables.stats, "head": head_variables.stats})


def hide(mask: MaskFunction, text: Text, key: PRNGKeyArray) -> MaskedTokens:
    """Each row's own mask, which leaves padding alone and keeps documents apart."""
    keys = example_keys(key, len(text.tokens))
    if text.segments is None:
        return jax.vmap(jax.jit(mask))(keys, text.tokens)
    return jax.vmap(jax.jit(lambda *own: mask(*own[:2], segments=own[2])))(keys, text.tokens, text.segments)


def predict(
    encoder: Encoder,
    head: Encoder,
    variables: Variables,
    text: Text,
    masked: MaskedTokens,
    batch: Batch,
    *,
    key: PRNGKeyArray | None,
    train: bool,
) -> tuple[Prediction, Tree]:
    """The masked tokens from the others, and the new statistics.

    Only the hidden states of masked places go through the head and are compared with the vocabulary.
    """
    params, stats = variables
    own = Variables(params["encoder"], stats["encoder"])
    h, encoder_stats = encoder.apply(own, text._replace(tokens=masked.tokens), train=train, key=key)
    own = Variables(params["head"], stats["head"])
    z, head_stats = head.apply(own, parts.at(h, masked.chosen), train=train)
    weights = parts.counted(batch, masked.weights)
    loss = parts.token_loss(z, params["encoder"]["tokens"], masked.targets, weights, params["token_bias"])
    return Prediction(h, loss, weights), {"encoder": encoder_stats, "head": head_stats}


def scores(
    head: Encoder, variables: Variables, h: Float[Array, "batch n dim"], masked: MaskedTokens
) -> Float[Array, "batch k vocab"]:
    """The scores of all tokens for each masked place."""
    params, stats = variables
    z, _ = head.apply(Variables(params["head"], stats["head"]), parts.at(h, masked.chosen), train=False)
    table = params["encoder"]["tokens"].astype(z.dtype)
    return jnp.matmul(z, table.T).astype(jnp.float32) + params["token_bias"][None, None]


def filled(
    tokens: Int[Array, "batch n"], masked: MaskedTokens, guesses: Int[Array, "batch k"]
) -> Int[Array, "batch n"]:
    """The tokens with guesses in the masked places."""

    def fill(row: Array, places: Array, guesses: Array, weights: Array) -> Array:
        # Places that are not in use get the number of none.
        return row.at[jnp.where(weights > 0, places, len(row))].set(guesses, mode="drop")

    return jax.vmap(fill)(tokens, masked.chosen, guesses, masked.weights)


def pictures(
    encoder: Encoder, head: Encoder, variables: Variables, text: Text, masked: MaskedTokens
) -> Int[Array, "batch 3 n"]:
    """Rows for the report: the text with its gaps, with what the network puts there, and as it was."""
    own = Variables(variables.params["encoder"], variables.stats["encoder"])
    h, _ = encoder.apply(own, text._replace(tokens=masked.tokens), train=False)
    likeliest = jnp.argmax(scores(head, variables, h, masked), axis=-1)
    return jnp.stack([masked.tokens, filled(text.tokens, masked, likeliest), text.tokens], axis=1)
