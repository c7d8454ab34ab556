"""TSDAE: a sentence is written again from the features of what is left of it."""

from typing import NamedTuple

import jax
from jaxtyping import Array, Float, Int, PRNGKeyArray, Scalar

from jssl import losses, nn, pretext
from jssl.core import Batch, Encoder, Method, Metrics, Share, Text, Transform, Tree, Variables, example_keys
from jssl.methods import text_parts as parts
from jssl.methods.parts import field, spread, zeros_of


class TSDAEState(NamedTuple):
    """Statistics of encoder and decoder by name: empty for transformers."""

    stats: Tree


def tsdae(
    *,
    encoder: Encoder,
    decoder: Encoder,
    delete: Transform,
    tied: bool = True,
    pad: int | None = None,
    pool: parts.Pool = "first",
    inputs: str = "tokens",
) -> Method:
    """TSDAE: `-log p(x | features of x with words deleted)`, mean over the tokens of the whole batch.

    Args:
        encoder: rows to hidden states [batch, n, dim], `nn.text_transformer(...)`, whose pooled states are
            the features.
        decoder: the same of a causal network of the same width; it sees the features and the tokens before.
        delete: `(key, tokens) -> tokens`, as `partial(pretext.text.delete_tokens, pad=..., special=...)`.
        tied: the decoder has the encoder's parameters, for which it must have the same sizes.
        pad: the token that fills rows up; None: there is none.
        pool: which hidden states are a sentence's features.
        inputs: name of the batch's rows of tokens, one sentence each.

    Returns:
        A method with the metrics "token/accuracy" and "collapse/std" (see `methods.parts.spread`).

    Raises:
        ValueError: in `init`, for an encoder without token embeddings, or a tied decoder of other sizes.

    Deviation: the decoder has the features added to its embeddings, where the paper's attends to them in each
    block; attention to one vector adds the same to every token, too.

    Reference: Wang et al., 2021, arXiv 2104.06979, section 3.
    """
    parts.check_pool(pool)

    def sentences(batch: Batch) -> Text:
        return parts.padded(field(batch, inputs), pad)

    def shifted(text: Text, context: Array) -> tuple[Text, Array, Array]:
        tokens, targets, weights = pretext.text.next_tokens(text.tokens, text.segments)
        segments = None if text.segments is None else text.segments[:, :-1]
        return Text(tokens, segments, context=context), targets, weights

    def init(key: PRNGKeyArray, batch: Batch) -> tuple[Tree, TSDAEState]:
        encoder_key, decoder_key = jax.random.split(key)
        text = sentences(batch)
        encoder_variables = encoder.init(encoder_key, text)
        features = nn.output_like(encoder, encoder_variables, text)[:, 0]
        short, _, _ = zeros_of(shifted, text, features)
        decoder_variables = decoder.init(decoder_key, short)
        parts.token_table(decoder_variables.params)
        params = {"encoder": encoder_variables.params}
        if tied:
            _check_same(encoder_variables.params, decoder_variables.params)
        else:
            params["decoder"] = decoder_variables.params
        return params, TSDAEState({"encoder": encoder_variables.stats, "decoder": decoder_variables.stats})

    def predict(
        params: Tree, stats: Tree, batch: Batch, key: PRNGKeyArray, *, train: bool
    ) -> tuple[losses.TokenLoss, Array, Array, Tree]:
        delete_key, encoder_key, decoder_key = jax.random.split(key, 3)
        whole = sentences(batch)
        keys = example_keys(delete_key, len(whole.tokens))
        left = parts.padded(jax.vmap(jax.jit(delete))(keys, whole.tokens), pad)
        own = Variables(params["encoder"], stats["encoder"])
        h, encoder_stats = encoder.apply(own, left, train=train, key=encoder_key)
        features = parts.pooled(h, left.segments, pool)
        text, targets, weights = shifted(whole, features)
        own = Variables(params["encoder" if tied else "decoder"], stats["decoder"])
        h, decoder_stats = decoder.apply(own, text, train=train, key=decoder_key)
        weights = parts.counted(batch, weights)
        result = parts.token_loss(h, own.params["tokens"], targets, weights)
        return result, weights, features, {"encoder": encoder_stats, "decoder": decoder_stats}

    def loss(
        params: Tree, state: TSDAEState, batch: Batch, *, key: PRNGKeyArray, step: Int[Array, ""]
    ) -> tuple[Scalar, tuple[TSDAEState, Metrics]]:
        result, _, features, stats = predict(params, state.stats, batch, key, train=True)
        metrics = {"token/accuracy": result.accuracy, "collapse/std": spread(features)}
        return result.loss, (TSDAEState(stats), metrics)

    def update(params: Tree, state: TSDAEState, step: Int[Array, ""]) -> TSDAEState:
        return state

    def embed(params: Tree, state: TSDAEState, inputs: Array) -> Float[Array, "batch dim"]:
        return parts.embed_text(encoder, params["encoder"], state.stats["encoder"], inputs, pad, pool)

    def score(params: Tree, state: TSDAEState, batch: Batch, *, key: PRNGKeyArray) -> dict[str, Share]:
        result, weights, _, _ = predict(params, state.stats, batch, key, train=False)
        return parts.shares(result, weights, "token/accuracy")

    return Method(init, loss, update, embed, score=score)


def _check_same(encoder: Tree, decoder: Tree) -> None:
    shapes = [jax.tree.map(lambda x: x.shape, params) for params in (encoder, decoder)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            "expected a decoder of the encoder's sizes to have the same parameters: build both with the same "
            "options but for causal=True, or say tied=False"
        )
