"""I-JEPA: from the features of one part of an example, predict an averaged encoder's of other parts."""

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, Scalar

from jssl import losses, nn
from jssl.core import Batch, Encoder, Method, Metrics, Schedule, Tokenizer, Tokens, Transform, Tree, Variables
from jssl.methods import masked, warnings
from jssl.methods.parts import (
    as_input,
    augmented,
    field,
    merge_views,
    move_target,
    split_views,
    spread,
    start_target,
    zeros_of,
)
from jssl.pretext.multiblock import MultiBlock


class IJEPAState(NamedTuple):
    """Statistics by name (empty for transformers), and the averaged encoder."""

    stats: Tree
    target: Variables


def ijepa(
    *,
    tokenizer: Tokenizer,
    encoder: Encoder,
    predictor: Encoder,
    mask: masked.MaskFunction,
    decay: float | Schedule = 0.996,
    augment: Transform | None = None,
    mean: masked.Moments = 0.0,
    std: masked.Moments = 1.0,
    pool: Literal["mean", "flatten"] = "mean",
    untokenize: Callable[..., Array] | None = None,
    inputs: str = "image",
) -> Method:
    """Joint-embedding prediction: `h_i`, i in a target block, from the context's features and where i is.

    `h = normalise(target(tokens))`, `s = encoder(context)`, `p = predictor(s, positions of the block)`,
    `L = mean over blocks and their tokens i of l(p_i - h_i)`,
    `target <- decay target + (1 - decay) encoder`,

    with l the smooth L1 and each `h_i` less its mean, over its standard deviation.

    Args:
        tokenizer: of one example, as `nn.patches(16)`.
        encoder: tokens to features [batch, n, dim], as `nn.transformer(...)`; it sees the context only, its
            average all tokens.
        predictor: tokens to features [batch, n, dim], as a narrower `nn.transformer(..., mask_token=True)`:
            it sees the context's features, and a learned vector in the places of one target block. A linear
            layer to the features is added.
        mask: `(key, n) -> MultiBlock`, as `lambda key, n: pretext.multiblock_mask(key, (14, 14))`.
        decay: of the target, in [0, 1]; the paper's is `ops.linear(0.996, 1.0, steps)`.
        augment: one view of one example, or None; the paper's is a random crop and nothing else.
        mean: of a token's values, or of each channel, subtracted for the network.
        std: of a token's values, or of each channel, by which they are then divided.
        pool: what `embed` makes of the tokens' features: their "mean", or "flatten".
        untokenize: `(values [n, p], shape=...) -> example`, as `nn.unpatchify`, for the report's pictures.
        inputs: name of the batch's array.

    Returns:
        A method whose `embed` pools the averaged encoder's features of the whole example, with the metrics
        "target/std" and "prediction/std" (between examples, mean over places and features: near 0 where they
        don't depend on the example) and "collapse/std" (see `methods.parts.spread`, of the mean target).

    Raises:
        ValueError: for numbers out of range; in `init`, for a predictor without a mask vector.

    Deviations: the loss is the published code's smooth L1, where equation 1 has the squared distance; see
    `pretext.multiblock_mask` for the masks.

    Reference: Assran et al., 2023, arXiv 2301.08243, section 3.
    """
    masked.check_moments(std)

    def tokens_of(x: Array) -> Tokens:
        return masked.cut(tokenizer, x, mean, std)

    def examples_of(key: PRNGKeyArray, batch: Batch) -> Array:
        x = field(batch, inputs)
        return as_input(x) if augment is None else augmented(augment, x, key)

    def predictor_to(dim: int) -> Encoder:
        return nn.chain(blocks=predictor, head=nn.linear(dim))

    def draw(key: PRNGKeyArray, tokens: Tokens) -> MultiBlock:
        return masked.draw(mask, key, tokens)

    def init(key: PRNGKeyArray, batch: Batch) -> tuple[Tree, IJEPAState]:
        encoder_key, predictor_key = jax.random.split(key)
        tokens = zeros_of(lambda own: tokens_of(examples_of(own, batch)), key)
        masks = zeros_of(draw, key, tokens)
        online = encoder.init(encoder_key, tokens)
        context = masked.take(tokens, masks.context)
        s = nn.output_like(encoder, online, context)
        places = zeros_of(_predictor_input, s, tokens, masks)
        predicting = predictor_to(s.shape[-1]).init(predictor_key, places)
        params, stats = ({"encoder": a, "predictor": b} for a, b in zip(online, predicting, strict=True))
        return params, IJEPAState(stats, start_target(Variables(params, stats), "encoder"))

    def targets_of(target: Variables, tokens: Tokens) -> Float[Array, "batch n dim"]:
        variables = Variables(target.params["encoder"], target.stats["encoder"])
        h, _ = encoder.apply(variables, tokens, train=False)
        h = h[:, -tokens.values.shape[1] :]
        return jax.lax.stop_gradient(jax.nn.standardize(h.astype(jnp.float32), epsilon=1e-5))

    def predict(
        params: Tree, stats: Tree, tokens: Tokens, masks: MultiBlock, key: PRNGKeyArray
    ) -> tuple[Float[Array, "batch_targets m dim"], Tree]:
        encoder_key, predictor_key = jax.random.split(key)
        online, predicting = (Variables(params[name], stats[name]) for name in ("encoder", "predictor"))
        context = masked.take(tokens, masks.context)
        s, encoder_stats = encoder.apply(online, context, train=True, key=encoder_key)
        p, predictor_stats = predictor_to(s.shape[-1]).apply(
            predicting, _predictor_input(s, tokens, masks), train=True, key=predictor_key
        )
        stats = {"encoder": encoder_stats, "predictor": predictor_stats}
        return p[:, -masks.targets.shape[2] :], stats

    def loss(
        params: Tree, state: IJEPAState, batch: Batch, *, key: PRNGKeyArray, step: Int[Array, ""]
    ) -> tuple[Scalar, tuple[IJEPAState, Metrics]]:
        augment_key, mask_key, network_key = jax.random.split(key, 3)
        tokens = tokens_of(examples_of(augment_key, batch))
        masks = draw(mask_key, tokens)
        h = targets_of(state.target, tokens)
        p, stats = predict(params, state.stats, tokens, masks, network_key)
        value = losses.smooth_l1(p, merge_views(_of_blocks(h, masks)))
        return value, (state._replace(stats=stats), _metrics(h, split_views(p, masks.targets.shape[1])))

    def update(params: Tree, state: IJEPAState, step: Int[Array, ""]) -> IJEPAState:
        return state._replace(target=move_target(state.target, params, decay, step))

    def embed(params: Tree, state: IJEPAState, inputs: Array) -> Float[Array, "batch dim"]:
        variables = Variables(state.target.params["encoder"], state.target.stats["encoder"])
        tokens = tokens_of(inputs)
        features, _ = encoder.apply(variables, tokens, train=False)
        return nn.pool_tokens(features[:, -tokens.values.shape[1] :], pool)

    def show(params: Tree, state: IJEPAState, batch: Batch, *, key: PRNGKeyArray) -> dict[str, Array]:
        assert untokenize is not None, "without it, the method has no `show`"
        augment_key, mask_key = jax.random.split(key)
        x = examples_of(augment_key, batch)
        tokens = tokens_of(x)
        masks = draw(mask_key, tokens)
        seen = [masks.context, *jnp.moveaxis(masks.targets, 1, 0)]
        rows = [masked.masked_rows(tokens.values, ~_at(index, tokens)) for index in seen]
        stacked = masked.restore(jnp.stack([tokens.values, *rows], axis=1), mean, std)
        return {"blocks": masked.pictures(untokenize, stacked, x.shape[1:])}

    return Method(init, loss, update, embed, show=show if untokenize else None, diagnose=diagnose)


def diagnose(metrics: Mapping[str, float]) -> list[str]:
    """Whether the targets no longer depend on the example."""
    return warnings.still_targets(
        metrics, "try a `decay` nearer to 1, a lower learning rate, or a narrower or shallower `predictor`"
    )


def _predictor_input(s: Float[Array, "batch c dim"], tokens: Tokens, masks: MultiBlock) -> Tokens:
    """For each example and block: the context's features, then masked tokens where the block is."""
    _, num_targets, m = masks.targets.shape
    context = masked.take_rows(tokens.positions, masks.context)
    s, context = (jnp.repeat(x, num_targets, axis=0) for x in (s[:, -context.shape[1] :], context))
    block = merge_views(_of_blocks(tokens.positions, masks))
    values = jnp.pad(s, ((0, 0), (0, m), (0, 0)))
    is_target = jnp.arange(values.shape[1]) >= context.shape[1]
    return Tokens(
        values,
        jnp.concatenate([context, block], axis=1),
        jnp.broadcast_to(is_target[None], values.shape[:2]),
    )


def _of_blocks(x: Float[Array, "batch n d"], masks: MultiBlock) -> Float[Array, "batch targets m d"]:
    """The rows of each target block."""
    return jax.vmap(lambda row, index: row[index])(x, masks.targets)


def _metrics(h: Float[Array, "batch n dim"], p: Float[Array, "batch targets m dim"]) -> Metrics:
    p = jax.lax.stop_gradient(p.astype(jnp.float32))
    return {
        "target/std": jnp.mean(jnp.std(h, axis=0)),
        "prediction/std": jnp.mean(jnp.std(p, axis=0)),
        "collapse/std": spread(jnp.mean(h, axis=1)),
    }


def _at(index: Int[Array, "batch m"], tokens: Tokens) -> Bool[Array, "batch n"]:
    shape = tokens.values.shape[:2]
    return jax.vmap(lambda row, own: row.at[own].set(True))(jnp.zeros(shape, bool), index)
