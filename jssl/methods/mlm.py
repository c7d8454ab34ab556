"""MLM: hidden tokens of a text are predicted from those on both sides."""

from typing import NamedTuple

import jax
from jaxtyping import Array, Float, Int, PRNGKeyArray, Scalar

from jssl.core import Batch, Encoder, Method, Metrics, Share, Tree, Variables
from jssl.methods import masked_text
from jssl.methods import text_parts as parts


class MLMState(NamedTuple):
    """Statistics of encoder and head by name: empty for transformers."""

    stats: Tree


def mlm(
    *,
    encoder: Encoder,
    head: Encoder,
    mask: masked_text.MaskFunction,
    pad: int | None = None,
    pool: parts.Pool = "mean",
    inputs: str = "tokens",
) -> Method:
    """Masked language model: `-log p(x_i | masked text)`, mean over the masked tokens of the whole batch.

    Args:
        encoder: rows to hidden states [batch, n, dim], `nn.text_transformer(...)`.
        head: hidden states [..., dim] to those that are multiplied with the token embeddings, as
            `nn.masked_head()`; a bias for each token is added.
        mask: `(key, tokens, segments=...) -> MaskedTokens`, as `partial(pretext.text.mask_tokens, ...)`.
        pad: the token that fills rows up, which `embed` leaves out; None: there is none.
        pool: what `embed` makes of a row's hidden states.
        inputs: name of the batch's rows of tokens; its "segments" say what is padding.

    Returns:
        A method with the metric "masked/accuracy".

    Raises:
        ValueError: in `init`, for an encoder without token embeddings.

    Reference: Devlin et al., 2018, arXiv 1810.04805, section 3.1, task 1; alone: Liu et al., 2019, arXiv
    1907.11692 (RoBERTa).
    """
    parts.check_pool(pool)

    def init(key: PRNGKeyArray, batch: Batch) -> tuple[Tree, MLMState]:
        params, stats = masked_text.init(key, encoder, head, parts.text_of(batch, inputs))
        return params, MLMState(stats)

    def predict(
        params: Tree, stats: Tree, batch: Batch, key: PRNGKeyArray, *, train: bool
    ) -> tuple[masked_text.Prediction, Tree]:
        mask_key, network_key = jax.random.split(key)
        text = parts.text_of(batch, inputs)
        masked = masked_text.hide(mask, text, mask_key)
        own = Variables(params, stats)
        return masked_text.predict(encoder, head, own, text, masked, batch, key=network_key, train=train)

    def loss(
        params: Tree, state: MLMState, batch: Batch, *, key: PRNGKeyArray, step: Int[Array, ""]
    ) -> tuple[Scalar, tuple[MLMState, Metrics]]:
        predicted, stats = predict(params, state.stats, batch, key, train=True)
        return predicted.loss.loss, (MLMState(stats), {"masked/accuracy": predicted.loss.accuracy})

    def update(params: Tree, state: MLMState, step: Int[Array, ""]) -> MLMState:
        return state

    def embed(params: Tree, state: MLMState, inputs: Array) -> Float[Array, "batch dim"]:
        return parts.embed_text(encoder, params["encoder"], state.stats["encoder"], inputs, pad, pool)

    def score(params: Tree, state: MLMState, batch: Batch, *, key: PRNGKeyArray) -> dict[str, Share]:
        predicted, _ = predict(params, state.stats, batch, key, train=False)
        return parts.shares(predicted.loss, predicted.weights, "masked/accuracy")

    def show(params: Tree, state: MLMState, batch: Batch, *, key: PRNGKeyArray) -> dict[str, Array]:
        text = parts.text_of(batch, inputs)
        masked = masked_text.hide(mask, text, key)
        own = Variables(params, state.stats)
        return {"masked words": masked_text.pictures(encoder, head, own, text, masked)}

    return Method(init, loss, update, embed, show=show, score=score)
