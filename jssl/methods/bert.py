"""BERT: hidden tokens are predicted from both sides, and whether one passage follows another."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, Scalar

from jssl import nn, ops
from jssl.core import Batch, Encoder, Method, Metrics, Share, Text, Tree, Variables, example_keys
from jssl.methods import masked_text
from jssl.methods import text_parts as parts
from jssl.methods.parts import field, zeros_of
from jssl.pretext.text import Pair, Passage


class BERTState(NamedTuple):
    """Statistics of encoder, head, pooler and the next sentence's classifier by name."""

    stats: Tree


def bert(
    *,
    encoder: Encoder,
    head: Encoder,
    pooler: Encoder,
    pair: Callable[..., Pair],
    mask: masked_text.MaskFunction,
    pad: int | None = None,
    pool: parts.Pool = "mean",
    inputs: str = "tokens",
) -> Method:
    """BERT: `L = L_masked + L_next`, a masked language model over pairs of passages, and their order.

    A row of the batch is a passage of whole sentences of one document. It is cut in two, and every second
    time its end is exchanged for that of another row of the batch, if that is of another document.

    Args:
        encoder: rows to hidden states [batch, n, dim], `nn.text_transformer(..., **nn.BERT)`.
        head: as for `methods.mlm`.
        pooler: the first hidden state [batch, dim] to the features of the pair, `nn.pooler()`.
        pair: `(key, row, other, can_be_random=...) -> Pair`, as
            `partial(pretext.text.sentence_pair, length=..., cls=..., sep=..., pad=...)`.
        mask: as for `methods.mlm`, of the pair's tokens.
        pad: the token that fills rows up, which `embed` leaves out; None: there is none.
        pool: what `embed` makes of a row's hidden states.
        inputs: name of the batch's rows of tokens, beside their "sentences" and "document".

    Returns:
        A method with the metrics "masked/accuracy", "next/accuracy", "loss/masked" and "loss/next".

    Raises:
        ValueError: in `init`, for an encoder without token embeddings, or a batch without sentences.

    Deviation: BERT draws its pairs once, before training, ten times over; here they are drawn anew each step.

    Reference: Devlin et al., 2018, arXiv 1810.04805, section 3.1.
    """
    parts.check_pool(pool)
    classifier = nn.linear(2)

    def pairs_of(key: PRNGKeyArray, batch: Batch) -> tuple[Text, Bool[Array, " batch"]]:
        row = Passage(field(batch, inputs), field(batch, "sentences"))
        document = field(batch, "document")
        # Half a batch away: of another document even where rows come in their order.
        away = len(document) // 2
        other = jax.tree.map(lambda x: jnp.roll(x, away, axis=0), row)
        can_be_random = document != jnp.roll(document, away)
        each = jax.jit(lambda key, row, other, can: pair(key, row, other, can_be_random=can))
        made = jax.vmap(each)(example_keys(key, len(document)), row, other, can_be_random)
        return Text(made.tokens, made.segments, made.types), made.is_random

    def init(key: PRNGKeyArray, batch: Batch) -> tuple[Tree, BERTState]:
        masked_key, pooler_key, next_key = jax.random.split(key, 3)
        text, _ = zeros_of(pairs_of, key, batch)
        params, stats = masked_text.init(masked_key, encoder, head, text)
        h = nn.output_like(encoder, Variables(params["encoder"], stats["encoder"]), text)[:, 0]
        pooler_variables = pooler.init(pooler_key, h)
        features = nn.output_like(pooler, pooler_variables, h)
        next_variables = classifier.init(next_key, features)
        for name, variables in (("pooler", pooler_variables), ("next", next_variables)):
            params[name], stats[name] = variables
        return params, BERTState(stats)

    def predict(
        params: Tree, stats: Tree, batch: Batch, key: PRNGKeyArray, *, train: bool
    ) -> tuple[masked_text.Prediction, Array, Array, Tree]:
        """The hidden tokens, and the loss and the correctness of each pair's order."""
        pair_key, mask_key, network_key = jax.random.split(key, 3)
        text, is_random = pairs_of(pair_key, batch)
        masked = masked_text.hide(mask, text, mask_key)
        own = Variables(params, stats)
        predicted, new = masked_text.predict(
            encoder, head, own, text, masked, batch, key=network_key, train=train
        )
        first = predicted.h[:, 0]
        features, _ = pooler.apply(Variables(params["pooler"], stats["pooler"]), first, train=train)
        logits, _ = classifier.apply(Variables(params["next"], stats["next"]), features, train=train)
        targets = is_random.astype(jnp.int32)
        correct = (jnp.argmax(logits, axis=1) == targets).astype(jnp.float32)
        return predicted, ops.cross_entropy(logits, targets), correct, stats | new

    def loss(
        params: Tree, state: BERTState, batch: Batch, *, key: PRNGKeyArray, step: Int[Array, ""]
    ) -> tuple[Scalar, tuple[BERTState, Metrics]]:
        predicted, order, correct, stats = predict(params, state.stats, batch, key, train=True)
        value, next_value = predicted.loss.loss, jnp.mean(order)
        metrics = {
            "loss/masked": value,
            "loss/next": next_value,
            "masked/accuracy": predicted.loss.accuracy,
            "next/accuracy": jnp.mean(correct),
        }
        return value + next_value, (BERTState(stats), metrics)

    def update(params: Tree, state: BERTState, step: Int[Array, ""]) -> BERTState:
        return state

    def embed(params: Tree, state: BERTState, inputs: Array) -> Float[Array, "batch dim"]:
        return parts.embed_text(encoder, params["encoder"], state.stats["encoder"], inputs, pad, pool)

    def score(params: Tree, state: BERTState, batch: Batch, *, key: PRNGKeyArray) -> dict[str, Share]:
        predicted, order, correct, _ = predict(params, state.stats, batch, key, train=False)
        weight = batch.get("weight", jnp.ones(len(order)))
        count = jnp.sum(weight)
        masked = parts.shares(predicted.loss, predicted.weights, "masked/accuracy")
        return {
            "loss/masked": masked.pop("loss"),
            **masked,
            "loss/next": Share(jnp.sum(order * weight), count),
            "next/accuracy": Share(jnp.sum(correct * weight), count),
        }

    def show(params: Tree, state: BERTState, batch: Batch, *, key: PRNGKeyArray) -> dict[str, Array]:
        pair_key, mask_key = jax.random.split(key)
        text, _ = pairs_of(pair_key, batch)
        masked = masked_text.hide(mask, text, mask_key)
        own = Variables(params, state.stats)
        return {"masked words": masked_text.pictures(encoder, head, own, text, masked)}

    return Method(init, loss, update, embed, show=show, score=score)
