"""MAE: the masked tokens of an example, of whatever modality, are reconstructed from the few visible ones."""

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, Scalar

from jssl import losses, nn
from jssl.core import Batch, Encoder, Method, Metrics, Tokenizer, Tokens, Transform, Tree, Variables
from jssl.methods import masked, warnings
from jssl.methods.parts import as_input, augmented, field, spread, zeros_of
from jssl.pretext.masks import Mask


class MAEState(NamedTuple):
    """Statistics of the encoder and the decoder by name: empty for transformers."""

    stats: Tree


def mae(
    *,
    tokenizer: Tokenizer,
    encoder: Encoder,
    decoder: Encoder,
    mask_ratio: float = 0.75,
    mask: masked.MaskFunction | None = None,
    normalize: bool = True,
    augment: Transform | None = None,
    mean: masked.Moments = 0.0,
    std: masked.Moments = 1.0,
    pool: Literal["mean", "flatten"] = "mean",
    untokenize: Callable[..., Array] | None = None,
    inputs: str = "image",
) -> Method:
    """Masked autoencoder over tokens: encode the visible ones, decode all, compare the masked ones.

    Args:
        tokenizer: of one example, as `nn.patches(16)`.
        encoder: tokens to features [batch, n, dim], as `nn.transformer(...)`; it sees visible tokens only.
        decoder: tokens to features [batch, n, dim], as a smaller `nn.transformer(...)`; it sees all features,
            with a learned vector in place of the masked ones. A linear layer to the values is added.
        mask_ratio: share of tokens that are masked, in (0, 1); the number of visible ones is rounded down.
        mask: `(key, n) -> Mask` instead of random masks of that ratio, as
            `lambda key, n: pretext.block_mask(key, (14, 14), 0.6)`; its counts are static.
        normalize: the target is each token less its mean, over its standard deviation.
        augment: one view of one example, or None.
        mean: of a token's values, or of each channel; subtracted for the network and the target. 0.5 or so
            for images in [0, 1].
        std: of a token's values, or of each channel, by which they are then divided.
        pool: what `embed` makes of the tokens' features: their "mean", or "flatten", which keeps positions
            apart, for small examples of aligned objects.
        untokenize: `(values [n, p], shape=...) -> example`, as `nn.unpatchify`, for the
            report's pictures; None: no pictures.
        inputs: name of the batch's array.

    Returns:
        A method whose `embed` pools the encoded tokens of the whole example, with the metrics
        "reconstruction/explained" (the share of the masked targets' variance that is predicted; 0 is as good
        as their mean), "reconstruction/std" (of the predictions over examples and tokens; near 0 where the
        decoder gives the same patch always) and "collapse/std" (see `methods.parts.spread`, of the mean
        visible features).

    Raises:
        ValueError: for numbers out of range; in `init`, where no token would be masked or visible, or the
            encoder doesn't give one feature vector for each token.

    Deviation: no class token; the mask vector stands before the decoder's linear embedding, not after it.

    Reference: He et al., 2021, arXiv 2111.06377, section 3.
    """
    if pool not in ("mean", "flatten"):
        raise ValueError(f"expected pool='mean' or 'flatten', got {pool!r}")
    masked.check_moments(std)
    draw_mask = masked.masking(mask, mask_ratio)

    def tokens_of(x: Array) -> Tokens:
        return masked.cut(tokenizer, x, mean, std)

    def draw_mask_of(key: PRNGKeyArray, tokens: Tokens) -> Mask:
        return masked.draw(draw_mask, key, tokens)

    def examples_of(key: PRNGKeyArray, batch: Batch) -> Array:
        x = field(batch, inputs)
        return as_input(x) if augment is None else augmented(augment, x, key)

    def predictor(tokens: Tokens) -> Encoder:
        return nn.chain(blocks=decoder, head=nn.linear(tokens.values.shape[-1]))

    def init(key: PRNGKeyArray, batch: Batch) -> tuple[Tree, MAEState]:
        encoder_key, decoder_key, mask_key = jax.random.split(key, 3)
        tokens = zeros_of(lambda own: tokens_of(examples_of(own, batch)), key)
        visible = zeros_of(lambda own: masked.take(tokens, draw_mask_of(own, tokens).visible), key)
        encoder_variables = encoder.init(encoder_key, visible)
        features = nn.output_like(encoder, encoder_variables, visible)
        _check_features(features, visible)
        full = tokens._replace(values=jnp.zeros((*tokens.values.shape[:2], features.shape[-1])))
        decoder_variables = predictor(tokens).init(decoder_key, full)
        params = {
            "encoder": encoder_variables.params,
            "decoder": decoder_variables.params,
            "mask_token": 0.02 * jax.random.normal(mask_key, features.shape[-1:]),
        }
        return params, MAEState({"encoder": encoder_variables.stats, "decoder": decoder_variables.stats})

    def reconstruct(
        params: Tree, stats: Tree, tokens: Tokens, key: PRNGKeyArray, *, train: bool
    ) -> tuple[Reconstruction, Tree]:
        mask_key, encoder_key, decoder_key = jax.random.split(key, 3)
        mask = draw_mask_of(mask_key, tokens)
        num_visible = mask.visible.shape[1]
        order = jnp.concatenate(mask, axis=1)
        back = jnp.argsort(order, axis=1)
        features, encoder_stats = encoder.apply(
            Variables(params["encoder"], stats["encoder"]),
            masked.take(tokens, mask.visible),
            train=train,
            key=encoder_key,
        )
        full = masked.take_rows(_filled(features, params["mask_token"], order.shape[1]), back)
        prediction, decoder_stats = predictor(tokens).apply(
            Variables(params["decoder"], stats["decoder"]),
            tokens._replace(values=full),
            train=train,
            key=decoder_key,
        )
        stats = {"encoder": encoder_stats, "decoder": decoder_stats}
        return Reconstruction(features, prediction, back >= num_visible), stats

    def loss(
        params: Tree, state: MAEState, batch: Batch, *, key: PRNGKeyArray, step: Int[Array, ""]
    ) -> tuple[Scalar, tuple[MAEState, Metrics]]:
        augment_key, mask_key = jax.random.split(key)
        tokens = tokens_of(examples_of(augment_key, batch))
        (features, prediction, mask), stats = reconstruct(params, state.stats, tokens, mask_key, train=True)
        target = masked.target_of(tokens.values, normalize)
        metrics = {
            "reconstruction/explained": masked.explained(prediction, target, mask),
            "reconstruction/std": jnp.mean(jnp.std(jax.lax.stop_gradient(prediction), axis=(0, 1))),
            "collapse/std": spread(jnp.mean(features, axis=1)),
        }
        value = losses.masked_reconstruction(prediction, target, mask)
        return value, (MAEState(stats), metrics)

    def update(params: Tree, state: MAEState, step: Int[Array, ""]) -> MAEState:
        return state

    def embed(params: Tree, state: MAEState, inputs: Array) -> Float[Array, "batch dim"]:
        variables = Variables(params["encoder"], state.stats["encoder"])
        features, _ = encoder.apply(variables, tokens_of(inputs), train=False)
        return nn.pool_tokens(features, pool)

    def show(params: Tree, state: MAEState, batch: Batch, *, key: PRNGKeyArray) -> dict[str, Array]:
        assert untokenize is not None, "without it, the method has no `show`"
        augment_key, mask_key = jax.random.split(key)
        x = examples_of(augment_key, batch)
        tokens = tokens_of(x)
        (_, prediction, mask), _ = reconstruct(params, state.stats, tokens, mask_key, train=False)
        rows = masked.restore(masked.picture_rows(prediction, tokens.values, mask, normalize), mean, std)
        return {"reconstruction": masked.pictures(untokenize, rows, x.shape[1:])}

    return Method(init, loss, update, embed, show=show if untokenize else None, diagnose=diagnose)


def diagnose(metrics: Mapping[str, float]) -> list[str]:
    """Whether the predictions are no better than the mean, or all examples are encoded alike."""
    advice = "try a lower `mask_ratio`, a lower learning rate, a longer warm-up or a narrower `decoder`"
    return warnings.nothing_explained(metrics, advice) + warnings.no_spread(metrics, advice)


class Reconstruction(NamedTuple):
    """Features of the visible tokens, predictions of all tokens, and which of them were masked."""

    features: Float[Array, "batch visible dim"]
    prediction: Float[Array, "batch n p"]
    mask: Bool[Array, "batch n"]


def _filled(
    features: Float[Array, "batch visible dim"], mask_token: Float[Array, " dim"], n: int
) -> Float[Array, "batch {n} dim"]:
    """The features, and after them the mask's vector in the places of all other tokens."""
    batch, visible, dim = features.shape
    hidden = jnp.broadcast_to(mask_token.astype(features.dtype), (batch, n - visible, dim))
    return jnp.concatenate([features, hidden], axis=1)


def _check_features(features: Array, visible: Tokens) -> None:
    if features.ndim != 3 or features.shape[:2] != visible.values.shape[:2]:
        raise ValueError(
            f"expected an encoder of tokens {visible.values.shape} to features [batch, n, dim] of as many, "
            f"got {features.shape}: use nn.transformer without a class token"
        )
