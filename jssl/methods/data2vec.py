"""data2vec: from a masked example, predict an averaged encoder's features, of many layers, of the whole."""

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, Scalar

from jssl import losses, nn
from jssl.core import Batch, Encoder, Method, Metrics, Schedule, Tokenizer, Tokens, Transform, Tree, Variables
from jssl.methods import masked, warnings
from jssl.methods.parts import as_input, augmented, field, move_target, spread, start_target, zeros_of


class Data2VecState(NamedTuple):
    """Statistics by name (empty for transformers), and the averaged encoder."""

    stats: Tree
    target: Variables


def data2vec(
    *,
    tokenizer: Tokenizer,
    encoder: Encoder,
    teacher: Encoder,
    mask_ratio: float = 0.6,
    mask: masked.MaskFunction | None = None,
    decay: float | Schedule = 0.9998,
    beta: float = 2.0,
    normalize: Literal["layer", "instance"] = "layer",
    augment: Transform | None = None,
    mean: masked.Moments = 0.0,
    std: masked.Moments = 1.0,
    pool: Literal["mean", "flatten"] = "mean",
    untokenize: Callable[..., Array] | None = None,
    inputs: str = "image",
) -> Method:
    """Self-distillation by regression: the student sees a masked example, the teacher the whole.

    `y = 1/K sum_k normalise(block_k of teacher(tokens))` over the last K blocks,
    `f = head(encoder(tokens, M))`, `L = mean_{i in M} l(f_i - y_i)` with l the smooth L1,
    `teacher <- decay teacher + (1 - decay) encoder`

    Args:
        tokenizer: of one example, as `nn.patches(16)`.
        encoder: all tokens, some of them masked, to features [batch, n, dim], as
            `nn.transformer(..., mask_token=True)`; class token and registers may come first.
        teacher: the same network with `last_blocks=K`, so that it gives the outputs of the last K blocks,
            [batch, K, n, dim]. It runs with the average of the encoder's parameters.
        mask_ratio: share of tokens that are masked, in (0, 1), each by itself.
        mask: `(key, n) -> Mask` instead, as `lambda key, n: pretext.block_mask(key, (14, 14), 0.6)`, which
            is the paper's for images.
        decay: of the teacher, in [0, 1].
        beta: of the smooth L1, above 0.
        normalize: each block's output, before the mean over blocks: each token over its features ("layer",
            for images and text), or each feature over the example's tokens ("instance", for speech).
        augment: one view of one example, or None.
        mean: of a token's values, or of each channel, subtracted for the network.
        std: of a token's values, or of each channel, by which they are then divided.
        pool: what `embed` makes of the tokens' features: their "mean", or "flatten".
        untokenize: `(values [n, p], shape=...) -> example`, as `nn.unpatchify`, for the report's pictures.
        inputs: name of the batch's array.

    Returns:
        A method whose `embed` pools the student's features of the whole example, with the metrics
        "target/std" and "prediction/std" (between examples, mean over places and features: near 0 where they
        don't depend on the example) and "collapse/std" (see `methods.parts.spread`, of the mean target).

    Raises:
        ValueError: for numbers out of range; in `init`, for an encoder without a mask vector, or a teacher
            that doesn't give the outputs of blocks.

    Deviations: targets are the outputs of whole blocks, where the paper takes those of their feed-forward
    part before the residual; the teacher has an average of the tokens' embedding too, the paper's shares it.

    Reference: Baevski et al., 2022, arXiv 2202.03555, section 3.
    """
    masked.check_moments(std)
    if normalize not in ("layer", "instance") or not beta > 0:
        raise ValueError(
            f"expected normalize='layer' or 'instance' and beta above 0, got {normalize!r} and {beta}"
        )
    draw_mask = masked.masking(mask, mask_ratio)

    def tokens_of(x: Array) -> Tokens:
        return masked.cut(tokenizer, x, mean, std)

    def examples_of(key: PRNGKeyArray, batch: Batch) -> Array:
        x = field(batch, inputs)
        return as_input(x) if augment is None else augmented(augment, x, key)

    def hidden_of(key: PRNGKeyArray, tokens: Tokens) -> Bool[Array, "batch n"]:
        return masked.hidden(masked.draw(draw_mask, key, tokens))

    def student_to(dim: int) -> Encoder:
        return nn.chain(encoder=encoder, head=nn.linear(dim))

    def init(key: PRNGKeyArray, batch: Batch) -> tuple[Tree, Data2VecState]:
        tokens = zeros_of(lambda own: tokens_of(examples_of(own, batch)), key)
        tokens = tokens._replace(masked=jnp.zeros(tokens.values.shape[:2], bool))
        dim = nn.output_like(encoder, encoder.init(key, tokens), tokens).shape[-1]
        params, stats = variables = student_to(dim).init(jax.random.clone(key), tokens)
        target = start_target(variables, "encoder")
        _check_blocks(zeros_of(blocks_of, target, tokens), tokens)
        return params, Data2VecState(stats, target)

    def blocks_of(target: Variables, tokens: Tokens) -> Float[Array, "batch *blocks n dim"]:
        """The teacher's last blocks, for all that it is shown."""
        variables = Variables(target.params["encoder"], target.stats["encoder"])
        blocks, _ = teacher.apply(variables, tokens._replace(masked=None), train=False)
        return blocks[..., -tokens.values.shape[1] :, :]

    def targets_of(target: Variables, tokens: Tokens) -> Float[Array, "batch n dim"]:
        blocks = blocks_of(target, tokens).astype(jnp.float32)
        axis = -1 if normalize == "layer" else -2
        y = jnp.mean(jax.nn.standardize(blocks, axis=axis, epsilon=1e-5), axis=1)
        return jax.lax.stop_gradient(y)

    def loss(
        params: Tree, state: Data2VecState, batch: Batch, *, key: PRNGKeyArray, step: Int[Array, ""]
    ) -> tuple[Scalar, tuple[Data2VecState, Metrics]]:
        augment_key, mask_key, network_key = jax.random.split(key, 3)
        tokens = tokens_of(examples_of(augment_key, batch))
        hidden = hidden_of(mask_key, tokens)
        y = targets_of(state.target, tokens)
        f, stats = student_to(y.shape[-1]).apply(
            Variables(params, state.stats), tokens._replace(masked=hidden), train=True, key=network_key
        )
        f = f[:, -y.shape[1] :]
        value = losses.smooth_l1(f, y, hidden, beta=beta)
        return value, (state._replace(stats=stats), _metrics(y, f))

    def update(params: Tree, state: Data2VecState, step: Int[Array, ""]) -> Data2VecState:
        return state._replace(target=move_target(state.target, params, decay, step))

    def embed(params: Tree, state: Data2VecState, inputs: Array) -> Float[Array, "batch dim"]:
        tokens = tokens_of(inputs)
        variables = Variables(params["encoder"], state.stats["encoder"])
        features, _ = encoder.apply(variables, tokens, train=False)
        return nn.pool_tokens(features[:, -tokens.values.shape[1] :], pool)

    def show(params: Tree, state: Data2VecState, batch: Batch, *, key: PRNGKeyArray) -> dict[str, Array]:
        assert untokenize is not None, "without it, the method has no `show`"
        augment_key, mask_key = jax.random.split(key)
        x = examples_of(augment_key, batch)
        values = (tokens := tokens_of(x)).values
        rows = jnp.stack([masked.masked_rows(values, hidden_of(mask_key, tokens)), values], axis=1)
        return {"masked": masked.pictures(untokenize, masked.restore(rows, mean, std), x.shape[1:])}

    return Method(init, loss, update, embed, show=show if untokenize else None, diagnose=diagnose)


def diagnose(metrics: Mapping[str, float]) -> list[str]:
    """Whether the targets no longer depend on the example."""
    return warnings.still_targets(
        metrics, "try a `decay` nearer to 1, a longer warm-up, a lower learning rate, or more masked tokens"
    )


def _metrics(y: Float[Array, "batch n dim"], f: Float[Array, "batch n dim"]) -> Metrics:
    return {
        "target/std": jnp.mean(jnp.std(y, axis=0)),
        "prediction/std": jnp.mean(jnp.std(jax.lax.stop_gradient(f.astype(jnp.float32)), axis=0)),
        "collapse/std": spread(jnp.mean(y, axis=1)),
    }


def _check_blocks(blocks: Array, tokens: Tokens) -> None:
    if blocks.ndim != 4 or blocks.shape[2] != tokens.values.shape[1]:
        raise ValueError(
            f"expected a teacher that gives the last blocks' outputs [batch, blocks, n, dim], got "
            f"{blocks.shape}: use nn.transformer(..., last_blocks=k) with the encoder's other options"
        )
