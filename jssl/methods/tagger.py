"""Token classification: a label for each word, as of named entities, by a linear head on hidden states."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, Scalar

from jssl import nn
from jssl.core import Batch, Encoder, Method, Metrics, Share, Text, Tree
from jssl.methods import fine_tuning as tuning
from jssl.methods import text_parts as parts
from jssl.methods.fine_tuning import TunedState
from jssl.methods.parts import field


def tagger(
    *,
    encoder: Encoder,
    num_classes: int,
    dropout: float = 0.1,
    freeze: bool = False,
    pad: int | None = None,
    pool: parts.Pool = "mean",
    inputs: str = "tokens",
) -> Method:
    """Fine-tuning on labels of tokens: `-log softmax(W dropout(h_i) + b)_{y_i}`, mean over those that count.

    The batch's "labels" [batch, n] are -1 where they don't count: of `data.text.tagged`, which labels the
    first token of each word.

    Args:
        encoder: rows to hidden states [batch, n, dim], `nn.starting_from(nn.text_transformer(...), weights)`.
        num_classes: labels are from 0 to one less.
        dropout: share of the head's inputs that is dropped in training, in [0, 1).
        freeze: the encoder stays as it is: no gradient, no weight decay, no dropout, no new statistics.
        pad: the token that fills rows up, where the batch's "segments" don't say so; None: there is none.
        pool: what `embed` makes of a row's hidden states.
        inputs: name of the batch's rows of tokens.

    Returns:
        A method with the metric "label/accuracy", of tokens that count. `predict` gives the likeliest class
        of each token.

    Raises:
        ValueError: for fewer than two classes, or a dropout outside of [0, 1).

    Reference: Devlin et al., 2018, arXiv 1810.04805, section 5.3.
    """
    parts.check_pool(pool)
    tuning.check_head(num_classes, dropout)
    head = nn.linear(num_classes)

    def init(key: PRNGKeyArray, batch: Batch) -> tuple[Tree, TunedState]:
        encoder_key, head_key = jax.random.split(key)
        text = tuning.rows(batch, inputs, pad)
        variables = {"encoder": encoder.init(encoder_key, text)}
        h = nn.output_like(encoder, variables["encoder"], text)
        return tuning.start({**variables, "head": head.init(head_key, h)}, freeze)

    def logits(
        params: Tree, state: TunedState, text: Text, *, train: bool, key: PRNGKeyArray | None
    ) -> tuple[Float[Array, "batch n classes"], Tree]:
        encoder_key, head_key = (None, None) if key is None else jax.random.split(key)
        h, encoder_stats = tuning.encode(encoder, params, state, text, train=train, key=encoder_key)
        h = tuning.dropped(h, dropout, head_key)
        y, head_stats = head.apply(tuning.part(params, state, "head"), h, train=train)
        return y, {"encoder": encoder_stats, "head": head_stats}

    def loss(
        params: Tree, state: TunedState, batch: Batch, *, key: PRNGKeyArray, step: Int[Array, ""]
    ) -> tuple[Scalar, tuple[TunedState, Metrics]]:
        y, stats = logits(params, state, tuning.rows(batch, inputs, pad), train=True, key=key)
        found = tuning.answers(y, field(batch, "labels"), batch).loss
        return found.loss, (state._replace(stats=stats), {"label/accuracy": found.accuracy})

    def update(params: Tree, state: TunedState, step: Int[Array, ""]) -> TunedState:
        return state

    def embed(params: Tree, state: TunedState, inputs: Array) -> Float[Array, "batch dim"]:
        return parts.embed_text(encoder, *tuning.part(params, state, "encoder"), inputs, pad, pool)

    def score(params: Tree, state: TunedState, batch: Batch, *, key: PRNGKeyArray) -> dict[str, Share]:
        y, _ = logits(params, state, tuning.rows(batch, inputs, pad), train=False, key=None)
        return tuning.shares(tuning.answers(y, field(batch, "labels"), batch))

    def predict(params: Tree, state: TunedState, batch: Batch) -> tuple[Array, Array]:
        y, _ = logits(params, state, tuning.rows(batch, inputs, pad), train=False, key=None)
        return jnp.argmax(y, axis=-1), field(batch, "labels")

    return Method(init, loss, update, embed, score=score, predict=predict)
