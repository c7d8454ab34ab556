"""Classification: the labels are the task, learned by an encoder with a linear head."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, Scalar

from jssl import nn
from jssl.core import Batch, Encoder, Method, Metrics, Share, Text, Tree
from jssl.methods import fine_tuning as tuning
from jssl.methods import text_parts as parts
from jssl.methods.fine_tuning import TunedState
from jssl.methods.parts import field


def classifier(
    *,
    encoder: Encoder,
    num_classes: int,
    pooler: Encoder | None = None,
    dropout: float = 0.1,
    freeze: bool = False,
    pad: int | None = None,
    pool: parts.Pool = "mean",
    inputs: str = "tokens",
) -> Method:
    """Fine-tuning on classes of texts: `-log softmax(W dropout(z) + b)_label`, z = pooler(pool(encoder(x))).

    The mean is over the examples whose "label" isn't -1. A row may be a pair of texts, with "types".

    Args:
        encoder: rows to hidden states [batch, n, dim], `nn.starting_from(nn.text_transformer(...), weights)`.
        num_classes: labels are from 0 to one less.
        pooler: of the pooled features, as BERT's, `nn.pooler()`, with the pool "first"; None: none.
        dropout: share of the head's inputs that is dropped in training, in [0, 1).
        freeze: the encoder stays as it is: no gradient, no weight decay, no dropout, no new statistics.
        pad: the token that fills rows up, where the batch's "segments" don't say so; None: there is none.
        pool: which hidden states are a row's features.
        inputs: name of the batch's rows of tokens.

    Returns:
        A method with the metric "label/accuracy". `embed` gives the pooled features, before the pooler, and
        `predict` the likeliest classes.

    Raises:
        ValueError: for fewer than two classes, or a dropout outside of [0, 1).

    Reference: Devlin et al., 2018, arXiv 1810.04805, section 4.1.
    """
    parts.check_pool(pool)
    tuning.check_head(num_classes, dropout)
    head = nn.linear(num_classes)

    def init(key: PRNGKeyArray, batch: Batch) -> tuple[Tree, TunedState]:
        encoder_key, pooler_key, head_key = jax.random.split(key, 3)
        text = tuning.rows(batch, inputs, pad)
        variables = {"encoder": encoder.init(encoder_key, text)}
        z = parts.pooled(nn.output_like(encoder, variables["encoder"], text), text.segments, pool)
        if pooler is not None:
            variables["pooler"] = pooler.init(pooler_key, z)
        variables["head"] = head.init(head_key, z)
        return tuning.start(variables, freeze)

    def logits(
        params: Tree, state: TunedState, text: Text, *, train: bool, key: PRNGKeyArray | None
    ) -> tuple[Float[Array, "batch classes"], Tree]:
        encoder_key, head_key = (None, None) if key is None else jax.random.split(key)
        stats = dict(state.stats)
        h, stats["encoder"] = tuning.encode(encoder, params, state, text, train=train, key=encoder_key)
        z = parts.pooled(h, text.segments, pool)
        if pooler is not None:
            z, stats["pooler"] = pooler.apply(tuning.part(params, state, "pooler"), z, train=train)
        z = tuning.dropped(z, dropout, head_key)
        y, stats["head"] = head.apply(tuning.part(params, state, "head"), z, train=train)
        return y, stats

    def loss(
        params: Tree, state: TunedState, batch: Batch, *, key: PRNGKeyArray, step: Int[Array, ""]
    ) -> tuple[Scalar, tuple[TunedState, Metrics]]:
        y, stats = logits(params, state, tuning.rows(batch, inputs, pad), train=True, key=key)
        found = tuning.answers(y, field(batch, "label"), batch).loss
        return found.loss, (state._replace(stats=stats), {"label/accuracy": found.accuracy})

    def update(params: Tree, state: TunedState, step: Int[Array, ""]) -> TunedState:
        return state

    def embed(params: Tree, state: TunedState, inputs: Array) -> Float[Array, "batch dim"]:
        return parts.embed_text(encoder, *tuning.part(params, state, "encoder"), inputs, pad, pool)

    def score(params: Tree, state: TunedState, batch: Batch, *, key: PRNGKeyArray) -> dict[str, Share]:
        y, _ = logits(params, state, tuning.rows(batch, inputs, pad), train=False, key=None)
        return tuning.shares(tuning.answers(y, field(batch, "label"), batch))

    def predict(params: Tree, state: TunedState, batch: Batch) -> tuple[Array, Array]:
        y, _ = logits(params, state, tuning.rows(batch, inputs, pad), train=False, key=None)
        return jnp.argmax(y, axis=-1), field(batch, "label")

    return Method(init, loss, update, embed, score=score, predict=predict)
