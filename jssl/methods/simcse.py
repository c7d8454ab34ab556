"""SimCSE: a sentence read twice with other dropout finds itself among all others."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, Scalar

from jssl import losses, nn
from jssl.core import Batch, Encoder, Method, Metrics, Transform, Tree, Variables
from jssl.methods import text_parts as parts
from jssl.methods import warnings
from jssl.methods.parts import (
    augmented,
    check_two_views,
    field,
    merge_views,
    split_views,
    spread,
    zeros_of,
)


class SimCSEState(NamedTuple):
    """Statistics of encoder and projector by name: empty for transformers."""

    stats: Tree


def simcse(
    *,
    encoder: Encoder,
    projector: Encoder | None = None,
    augment: Transform | None = None,
    temperature: float = 0.05,
    hard_weight: float = 0.0,
    pad: int | None = None,
    pool: parts.Pool = "first",
    inputs: str = "tokens",
) -> Method:
    """SimCSE: InfoNCE between two readings of each sentence, or between a sentence and one that follows.

    Rows [batch, n] are unsupervised: the two readings of a sentence differ by dropout, or are the two views
    that `augment` makes. The supervised form has pairs of a sentence and one that means the same,
    [batch, 2, n], or triples, [batch, 3, n], whose third doesn't mean the same; all sentences of the batch
    have it as a negative.

    Args:
        encoder: rows to hidden states [batch, n, dim], `nn.text_transformer(..., dropout=0.1)`.
        projector: pooled features to the embeddings of the loss, in training only, as BERT's linear layer
            and tanh, `nn.pooler()`; None: the features themselves are compared.
        augment: `(key, tokens) -> views [2, n]`, as `pretext.text.split_tokens` or `pretext.two_views` of
            `pretext.text.delete_tokens`: a small network tells sentences apart at once by dropout alone.
            None: the sentence twice.
        temperature: of InfoNCE, above 0.
        hard_weight: added to the logit of a sentence's own hard negative.
        pad: the token that fills rows up; None: there is none.
        pool: which hidden states are a sentence's features: "first" as in the paper, or "mean".
        inputs: name of the batch's rows of tokens.

    Returns:
        A method with the metrics "contrastive/chance" (the loss over that of a uniform guess),
        "contrastive/accuracy" and "collapse/std" (see `methods.parts.spread`).

    Raises:
        ValueError: for a temperature of 0 or below; in `init`, for rows of another form, or pairs and
            triples with `augment`.

    Reference: Gao et al., 2021, arXiv 2104.08821, equations 4 and 5, and appendix B for the weight; Yan et
    al., 2021, arXiv 2105.11741, section 3.2, for views.
    """
    if temperature <= 0:
        raise ValueError(f"expected a temperature above 0, got {temperature}")
    parts.check_pool(pool)

    def readings(key: PRNGKeyArray, batch: Batch) -> Array:
        rows = field(batch, inputs)
        if rows.ndim == 2:
            return jnp.stack([rows, rows], axis=1) if augment is None else augmented(augment, rows, key)
        if augment is not None:
            raise ValueError(f"expected rows of tokens [batch, n] for `augment`, got {rows.shape}")
        if rows.ndim != 3 or rows.shape[1] not in (2, 3):
            raise ValueError(
                "expected rows of tokens [batch, n], or pairs or triples of them [batch, 2 or 3, n], got "
                f"{rows.shape}"
            )
        return rows

    def init(key: PRNGKeyArray, batch: Batch) -> tuple[Tree, SimCSEState]:
        encoder_key, projector_key = jax.random.split(key)
        views = zeros_of(readings, key, batch)
        if augment is not None:
            check_two_views(views)
        text = parts.padded(merge_views(views), pad)
        variables = {"encoder": encoder.init(encoder_key, text)}
        if projector is not None:
            h = nn.output_like(encoder, variables["encoder"], text)
            variables["projector"] = projector.init(projector_key, parts.pooled(h, text.segments, pool))
        params = {name: own.params for name, own in variables.items()}
        return params, SimCSEState({name: own.stats for name, own in variables.items()})

    def loss(
        params: Tree, state: SimCSEState, batch: Batch, *, key: PRNGKeyArray, step: Int[Array, ""]
    ) -> tuple[Scalar, tuple[SimCSEState, Metrics]]:
        augment_key, network_key = jax.random.split(key)
        views = readings(augment_key, batch)
        text = parts.padded(merge_views(views), pad)
        own = Variables(params["encoder"], state.stats["encoder"])
        h, encoder_stats = encoder.apply(own, text, train=True, key=network_key)
        z, stats = parts.pooled(h, text.segments, pool), {"encoder": encoder_stats}
        if projector is not None:
            own = Variables(params["projector"], state.stats["projector"])
            z, stats["projector"] = projector.apply(own, z, train=True)
        z_a, z_b, *hard = jnp.unstack(split_views(z, views.shape[1]), axis=1)
        value = losses.info_nce(
            z_a, z_b, temperature=temperature, hard=hard[0] if hard else None, hard_weight=hard_weight
        )
        metrics = {
            "contrastive/chance": value / math.log(max(len(z_a) * (views.shape[1] - 1), 2)),
            "contrastive/accuracy": losses.contrastive_accuracy(z_a, z_b),
            "collapse/std": spread(z),
        }
        return value, (SimCSEState(stats), metrics)

    def update(params: Tree, state: SimCSEState, step: Int[Array, ""]) -> SimCSEState:
        return state

    def embed(params: Tree, state: SimCSEState, inputs: Array) -> Float[Array, "batch dim"]:
        return parts.embed_text(encoder, params["encoder"], state.stats["encoder"], inputs, pad, pool)

    return Method(init, loss, update, embed, diagnose=diagnose)


def diagnose(metrics: Mapping[str, float]) -> list[str]:
    """Whether the embeddings have collapsed, and else whether the loss is stuck at chance."""
    return warnings.no_spread(
        metrics, "try a lower learning rate, or a lower `temperature`"
    ) or warnings.at_chance(metrics, "try a lower `temperature`, a lower learning rate or more `dropout`")
