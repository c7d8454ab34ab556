"""SimMIM: the masked tokens' raw values are predicted by one linear layer on top of the encoder."""

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import jax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, Scalar

from jssl import losses, nn
from jssl.core import Batch, Encoder, Method, Metrics, Tokenizer, Tokens, Transform, Tree, Variables
from jssl.methods import masked, warnings
from jssl.methods.parts import as_input, augmented, field, zeros_of


class SimMIMState(NamedTuple):
    """Statistics of the encoder and the head by name: empty for transformers."""

    stats: Tree


def simmim(
    *,
    tokenizer: Tokenizer,
    encoder: Encoder,
    mask_ratio: float = 0.6,
    mask: masked.MaskFunction | None = None,
    normalize: bool = False,
    augment: Transform | None = None,
    mean: masked.Moments = 0.0,
    std: masked.Moments = 1.0,
    pool: Literal["mean", "flatten"] = "mean",
    untokenize: Callable[..., Array] | None = None,
    inputs: str = "image",
) -> Method:
    """Masked modelling with the mask vector at the encoder's input and a linear prediction.

    `L = 1/|M| sum_{i in M} mean_p |head(encoder(tokens, M))_i - tokens_i|`

    Args:
        tokenizer: of one example, as `nn.patches(16)`.
        encoder: all tokens, some of them masked, to features [batch, n, dim], as
            `nn.transformer(..., mask_token=True)`; class token and registers may come first.
        mask_ratio: share of tokens that are masked, in (0, 1), each by itself.
        mask: `(key, n) -> Mask` instead, as `lambda key, n: pretext.unit_mask(key, (14, 14), 0.6)`, the
            paper's squares of 32 pixels for patches of 16.
        normalize: the target is each token less its mean, over its standard deviation, as MAE's.
        augment: one view of one example, or None.
        mean: of a token's values, or of each channel; subtracted for the network and the target.
        std: of a token's values, or of each channel, by which they are then divided.
        pool: what `embed` makes of the tokens' features: their "mean", or "flatten".
        untokenize: `(values [n, p], shape=...) -> example`, as `nn.unpatchify`, for the report's pictures.
        inputs: name of the batch's array.

    Returns:
        A method whose `embed` pools the encoded tokens of the whole example, with the metric
        "reconstruction/explained" (the share of the masked values' variance that is predicted; 0 is as good
        as their mean).

    Raises:
        ValueError: for numbers out of range; in `init`, for an encoder without a mask vector.

    Reference: Xie et al., 2021, arXiv 2111.09886, section 3.
    """
    masked.check_moments(std)
    draw_mask = masked.masking(mask, mask_ratio)

    def tokens_of(x: Array) -> Tokens:
        return masked.cut(tokenizer, x, mean, std)

    def examples_of(key: PRNGKeyArray, batch: Batch) -> Array:
        x = field(batch, inputs)
        return as_input(x) if augment is None else augmented(augment, x, key)

    def network_for(tokens: Tokens) -> Encoder:
        return nn.chain(encoder=encoder, head=nn.linear(tokens.values.shape[-1]))

    def hide(key: PRNGKeyArray, tokens: Tokens) -> Tokens:
        return tokens._replace(masked=masked.hidden(masked.draw(draw_mask, key, tokens)))

    def predict(
        params: Tree, stats: Tree, tokens: Tokens, *, train: bool, key: PRNGKeyArray | None = None
    ) -> tuple[Float[Array, "batch n p"], Tree]:
        variables = Variables(params, stats)
        prediction, stats = network_for(tokens).apply(variables, tokens, train=train, key=key)
        return prediction[:, -tokens.values.shape[1] :], stats

    def init(key: PRNGKeyArray, batch: Batch) -> tuple[Tree, SimMIMState]:
        tokens = zeros_of(lambda own: hide(own, tokens_of(examples_of(own, batch))), key)
        params, stats = network_for(tokens).init(key, tokens)
        return params, SimMIMState(stats)

    def loss(
        params: Tree, state: SimMIMState, batch: Batch, *, key: PRNGKeyArray, step: Int[Array, ""]
    ) -> tuple[Scalar, tuple[SimMIMState, Metrics]]:
        augment_key, mask_key, network_key = jax.random.split(key, 3)
        tokens = hide(mask_key, tokens_of(examples_of(augment_key, batch)))
        prediction, stats = predict(params, state.stats, tokens, train=True, key=network_key)
        target, hidden = masked.target_of(tokens.values, normalize), _masked(tokens)
        metrics = {"reconstruction/explained": masked.explained(prediction, target, hidden)}
        value = losses.masked_l1(prediction, target, hidden)
        return value, (SimMIMState(stats), metrics)

    def update(params: Tree, state: SimMIMState, step: Int[Array, ""]) -> SimMIMState:
        return state

    def embed(params: Tree, state: SimMIMState, inputs: Array) -> Float[Array, "batch dim"]:
        tokens = tokens_of(inputs)
        variables = Variables(params["encoder"], state.stats["encoder"])
        features, _ = encoder.apply(variables, tokens, train=False)
        return nn.pool_tokens(features[:, -tokens.values.shape[1] :], pool)

    def show(params: Tree, state: SimMIMState, batch: Batch, *, key: PRNGKeyArray) -> dict[str, Array]:
        assert untokenize is not None, "without it, the method has no `show`"
        augment_key, mask_key = jax.random.split(key)
        x = examples_of(augment_key, batch)
        tokens = hide(mask_key, tokens_of(x))
        prediction, _ = predict(params, state.stats, tokens, train=False)
        rows = masked.picture_rows(prediction, tokens.values, _masked(tokens), normalize)
        return {"reconstruction": masked.pictures(untokenize, masked.restore(rows, mean, std), x.shape[1:])}

    return Method(init, loss, update, embed, show=show if untokenize else None, diagnose=diagnose)


def diagnose(metrics: Mapping[str, float]) -> list[str]:
    """Whether the predictions are no better than the mean."""
    return warnings.nothing_explained(
        metrics, "try a lower `mask_ratio`, smaller masked units, a higher learning rate or a longer warm-up"
    )


def _masked(tokens: Tokens) -> Bool[Array, "batch n"]:
    assert tokens.masked is not None, "`hide` has set it"
    return tokens.masked
