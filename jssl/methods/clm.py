"""CLM: each token is predicted from those before it."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, Scalar

from jssl import losses, nn, pretext
from jssl.core import Batch, Encoder, Method, Metrics, Share, Text, Tree, Variables
from jssl.methods import text_parts as parts
from jssl.methods.parts import zeros_of


class CLMState(NamedTuple):
    """Statistics of the encoder: empty for transformers."""

    stats: Tree


def clm(
    *, encoder: Encoder, pad: int | None = None, pool: parts.Pool = "mean", inputs: str = "tokens"
) -> Method:
    """Causal language model: `-log p(x_{i+1} | x_1, ..., x_i)`, mean over the tokens of the whole batch.

    The scores are products of the hidden states with the network's own token embeddings. Rows of n tokens
    are n - 1 predictions; with "segments" in the batch none goes from one document into the next.

    Args:
        encoder: rows to hidden states [batch, n, dim], `nn.text_transformer(..., causal=True)`.
        pad: the token that fills rows up, which `embed` leaves out; None: there is none.
        pool: what `embed` makes of a row's hidden states.
        inputs: name of the batch's rows of tokens.

    Returns:
        A method with the metrics "token/accuracy" (of the most likely next token) and "token/perplexity" (the
        exponential of the loss, which is in nats a token).

    Raises:
        ValueError: in `init`, for an encoder without token embeddings.

    Reference: Radford et al., 2018, Improving language understanding by generative pre-training, equation 1.
    """
    parts.check_pool(pool)

    def shifted(batch: Batch) -> tuple[Text, Array, Array]:
        text = parts.text_of(batch, inputs)
        tokens, targets, weights = pretext.text.next_tokens(text.tokens, text.segments)
        segments = None if text.segments is None else text.segments[:, :-1]
        return Text(tokens, segments), targets, weights

    def init(key: PRNGKeyArray, batch: Batch) -> tuple[Tree, CLMState]:
        text, _, _ = zeros_of(shifted, batch)
        variables = encoder.init(key, text)
        parts.token_table(variables.params)
        return {"encoder": variables.params}, CLMState(variables.stats)

    def predict(
        params: Tree, stats: Tree, batch: Batch, *, train: bool, key: PRNGKeyArray | None
    ) -> tuple[losses.TokenLoss, Array, Tree]:
        text, targets, weights = shifted(batch)
        h, stats = encoder.apply(Variables(params["encoder"], stats), text, train=train, key=key)
        weights = parts.counted(batch, weights)
        return parts.token_loss(h, params["encoder"]["tokens"], targets, weights), weights, stats

    def loss(
        params: Tree, state: CLMState, batch: Batch, *, key: PRNGKeyArray, step: Int[Array, ""]
    ) -> tuple[Scalar, tuple[CLMState, Metrics]]:
        result, _, stats = predict(params, state.stats, batch, train=True, key=key)
        metrics = {
            "token/accuracy": result.accuracy,
            "token/perplexity": jnp.exp(result.loss),
        }
        return result.loss, (CLMState(stats), metrics)

    def update(params: Tree, state: CLMState, step: Int[Array, ""]) -> CLMState:
        return state

    def embed(params: Tree, state: CLMState, inputs: Array) -> Float[Array, "batch dim"]:
        return parts.embed_text(encoder, params["encoder"], state.stats, inputs, pad, pool)

    def score(params: Tree, state: CLMState, batch: Batch, *, key: PRNGKeyArray) -> dict[str, Share]:
        result, weights, _ = predict(params, state.stats, batch, train=False, key=None)
        return parts.shares(result, weights, "token/accuracy")

    def extend(params: Tree, state: CLMState, text: nn.Prompt | nn.Next) -> tuple[Array, Any]:
        (h, cache), _ = encoder.apply(Variables(params["encoder"], state.stats), text, train=False)
        return jnp.matmul(h, params["encoder"]["tokens"].T.astype(h.dtype)).astype(jnp.float32), cache

    return Method(init, loss, update, embed, score=score, extend=extend)
