"""ELECTRA: which tokens did a small masked language model put there?"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, Scalar

from jssl import nn, ops
from jssl.core import Batch, Encoder, Method, Metrics, Text, Tree, Variables
from jssl.methods import masked_text
from jssl.methods import text_parts as parts


class ELECTRAState(NamedTuple):
    """Statistics of all parts by name: empty for transformers."""

    stats: Tree


def electra(
    *,
    encoder: Encoder,
    head: Encoder,
    generator: Encoder,
    generator_head: Encoder,
    mask: masked_text.MaskFunction,
    weight: float = 50.0,
    share_tokens: bool = True,
    pad: int | None = None,
    pool: parts.Pool = "mean",
    inputs: str = "tokens",
) -> Method:
    """ELECTRA: `L = L_masked + weight * L_replaced`, replaced token detection.

    The generator fills the gaps of a masked text with tokens drawn from its predictions; of each token the
    encoder says whether it was put there or stood there, by a binary cross-entropy over all tokens but
    padding. A gap that was filled with the right token counts as not replaced.

    Args:
        encoder: rows to hidden states [batch, n, dim], `nn.text_transformer(...)`: what is kept.
        head: hidden states [..., dim] to those that are scored by one vector, as `nn.mlp` or
            `nn.masked_head()`.
        generator: a smaller network of the same vocabulary.
        generator_head: as `nn.masked_head()`.
        mask: as for `methods.mlm`; all gaps should hold the mask token, `keep=0.0, random=0.0`.
        weight: of the detection's loss.
        share_tokens: both networks have the same token embeddings, for which they must be of one width.
        pad: the token that fills rows up; None: there is none.
        pool: what `embed` makes of a row's hidden states.
        inputs: name of the batch's rows of tokens; its "segments" say what is padding.

    Returns:
        A method with the metrics "loss/masked", "loss/replaced", "masked/accuracy", "replaced/accuracy" and
        "replaced/share" (of the tokens).

    Raises:
        ValueError: in `init`, for networks without token embeddings or, to share them, of two widths.

    Deviation: the paper's networks share embeddings at any widths, through a linear layer.

    Reference: Clark et al., 2020, arXiv 2003.10555, section 2.
    """
    parts.check_pool(pool)
    scorer = nn.linear(1)

    def init(key: PRNGKeyArray, batch: Batch) -> tuple[Tree, ELECTRAState]:
        generator_key, encoder_key, head_key, scorer_key = jax.random.split(key, 4)
        text = parts.text_of(batch, inputs)
        variables = {"encoder": encoder.init(encoder_key, text)}
        made = masked_text.init(generator_key, generator, generator_head, text)
        table = parts.token_table(variables["encoder"].params)
        if share_tokens and made.params["encoder"].pop("tokens").shape != table.shape:
            raise ValueError(
                "expected a generator of the encoder's vocabulary and width to share token embeddings; "
                "give it the same width and fewer blocks, or say share_tokens=False"
            )
        variables["generator"] = made
        h = nn.output_like(encoder, variables["encoder"], text)
        variables["head"] = head.init(head_key, h)
        variables["scorer"] = scorer.init(scorer_key, nn.output_like(head, variables["head"], h))
        params = {name: own.params for name, own in variables.items()}
        return params, ELECTRAState({name: own.stats for name, own in variables.items()})

    def generated(
        params: Tree, stats: Tree, text: Text, batch: Batch, key: PRNGKeyArray
    ) -> tuple[masked_text.Prediction, Int[Array, "batch n"], Tree]:
        """The generator's prediction, and the text with its gaps filled by draws from it."""
        mask_key, network_key, draw_key = jax.random.split(key, 3)
        masked = masked_text.hide(mask, text, mask_key)
        own = params["generator"]
        if share_tokens:
            own = own | {"encoder": own["encoder"] | {"tokens": params["encoder"]["tokens"]}}
        predicted, stats = masked_text.predict(
            generator,
            generator_head,
            Variables(own, stats["generator"]),
            text,
            masked,
            batch,
            key=network_key,
            train=True,
        )
        scores = masked_text.scores(generator_head, Variables(own, stats), predicted.h, masked)
        drawn = jax.random.categorical(draw_key, jax.lax.stop_gradient(scores), axis=-1)
        return predicted, masked_text.filled(text.tokens, masked, drawn), stats

    def loss(
        params: Tree, state: ELECTRAState, batch: Batch, *, key: PRNGKeyArray, step: Int[Array, ""]
    ) -> tuple[Scalar, tuple[ELECTRAState, Metrics]]:
        generator_key, encoder_key = jax.random.split(key)
        text, stats = parts.text_of(batch, inputs), dict(state.stats)
        predicted, tokens, stats["generator"] = generated(params, stats, text, batch, generator_key)
        own = Variables(params["encoder"], stats["encoder"])
        h, stats["encoder"] = encoder.apply(own, text._replace(tokens=tokens), train=True, key=encoder_key)
        z, stats["head"] = head.apply(Variables(params["head"], stats["head"]), h, train=True)
        own = Variables(params["scorer"], stats["scorer"])
        logits = scorer.apply(own, z, train=True)[0][..., 0].astype(jnp.float32)
        replaced = tokens != text.tokens
        there = jnp.ones(tokens.shape) if text.segments is None else (text.segments > 0).astype(jnp.float32)
        each = jax.nn.softplus(logits) - logits * replaced
        detection = ops.masked_mean(each, there)
        metrics = {
            "loss/masked": predicted.loss.loss,
            "loss/replaced": detection,
            "masked/accuracy": predicted.loss.accuracy,
            "replaced/accuracy": ops.masked_mean(_right(logits, replaced), there),
            "replaced/share": ops.masked_mean(replaced.astype(jnp.float32), there),
        }
        return predicted.loss.loss + weight * detection, (ELECTRAState(stats), metrics)

    def update(params: Tree, state: ELECTRAState, step: Int[Array, ""]) -> ELECTRAState:
        return state

    def embed(params: Tree, state: ELECTRAState, inputs: Array) -> Float[Array, "batch dim"]:
        return parts.embed_text(encoder, params["encoder"], state.stats["encoder"], inputs, pad, pool)

    return Method(init, loss, update, embed)


def _right(logits: Float[Array, "batch n"], replaced: Bool[Array, "batch n"]) -> Float[Array, "batch n"]:
    return ((logits > 0) == replaced).astype(jnp.float32)
