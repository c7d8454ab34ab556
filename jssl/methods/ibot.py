"""iBOT: DINO's self-distillation between views, and that of masked tokens within a view, by one head."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, Scalar

from jssl import losses, nn, ops
from jssl.core import Batch, Encoder, Method, Metrics, Schedule, Tokenizer, Tokens, Transform, Tree, Variables
from jssl.methods import masked
from jssl.methods.distillation_parts import (
    check_options,
    in_training_mode,
    judge_targets,
    target_metrics,
    with_frozen_prototypes,
)
from jssl.methods.parts import field, merge_views, move_target, spread, start_target, views_of, zeros_of
from jssl.methods.token_views import (
    MaskedViews,
    embed_class_token,
    masked_views,
    pictures_of_views,
    token_network,
)


class IBOTState(NamedTuple):
    """Statistics by name (empty for transformers), the teacher, and the centres of its logits."""

    stats: Tree
    teacher: Variables
    center: Float[Array, " prototypes"]
    token_center: Float[Array, " token_prototypes"]


def ibot(
    *,
    tokenizer: Tokenizer,
    encoder: Encoder,
    head: Encoder,
    augment: Transform,
    mask: masked.MaskFunction,
    token_head: Encoder | None = None,
    temperature: float = 0.1,
    teacher_temperature: float | Schedule = 0.04,
    token_temperature: float | Schedule = 0.04,
    token_weight: float = 1.0,
    decay: float | Schedule = 0.996,
    center_decay: float = 0.9,
    freeze_prototypes_steps: int = 0,
    mean: masked.Moments = 0.0,
    std: masked.Moments = 1.0,
    untokenize: Callable[..., Array] | None = None,
    inputs: str = "image",
) -> Method:
    """iBOT: the teacher sees whole views, and is a tokenizer for the student, which sees masked ones.

    `L = mean_{g, v != g} H(p_g, q_v) + weight mean_g 1/|M_g| sum_{i in M_g} H(p_{g, i}, q_{g, i})`,

    where class tokens have the distributions `p_g` (teacher) and `q_v` (student, global views masked), and
    the tokens i of the global views `p_{g, i}` and `q_{g, i}`: `p = softmax((logits - c) / t_teacher)`,
    `q = softmax(logits / t)`, `teacher <- decay teacher + (1 - decay) student`.

    Args:
        tokenizer: of one view of any size, as `nn.patches(16)`.
        encoder: tokens to features, class token first, as `nn.transformer(..., cls_token=True,
            mask_token=True)`.
        head: features to logits [*, prototypes], as `nn.dino_head(8192)`; of class tokens, and of tokens too
            where there is no `token_head`.
        augment: one example to (globals [g, ...], locals [l, ...]), as `pretext.dino_views(224, 96)`, or to
            global views only, as `pretext.two_views(...)`.
        mask: of a global view with n tokens, `(key, n) -> BoundedMask`, as
            `lambda key, n: pretext.ibot_mask(key, (14, 14))`.
        token_head: features to logits of tokens, for heads that share nothing; None: `head`, as in the paper.
        temperature: of the student, above 0.
        teacher_temperature: of class tokens, below the student's; the paper's is
            `ops.linear(0.04, 0.07, steps of 30 epochs)`.
        token_temperature: of tokens; the paper's is the same as the other.
        token_weight: of the tokens' loss.
        decay: of the teacher, in [0, 1]; the paper's is `ops.cosine(0.996, 1.0, steps)`.
        center_decay: of the centres, in [0, 1).
        freeze_prototypes_steps: steps at the start in which prototypes get no gradient (the paper: 1 epoch).
        mean: of a token's values, or of each channel, subtracted for the network.
        std: of a token's values, or of each channel, by which they are then divided.
        untokenize: `(values [n, p], shape=...) -> example`, as `nn.unpatchify`, for the report's pictures.
        inputs: name of the batch's array.

    Returns:
        A method whose `embed` gives the teacher's class token, with the metrics "loss/views" and
        "loss/tokens", those of `methods.distillation_parts.target_metrics` for "target" and "token_target",
        and "collapse/std" (of the student's class tokens, see `methods.parts.spread`).

    Raises:
        ValueError: for numbers out of range; in `init`, where `augment` makes fewer than two global views, or
            the encoder has no class token or mask vector.

    Deviation: the tokens' centre is the mean over as many tokens of each view as may be masked, not over all.

    Reference: Zhou et al., 2021, arXiv 2111.07832, section 3 and algorithm 1.
    """
    masked.check_moments(std)
    check_options(temperature, center_decay, freeze_prototypes_steps)
    network = token_network(encoder, head, token_head)

    def tokens_of(x: Array) -> Tokens:
        return masked.cut(tokenizer, x, mean, std)

    def views_at(key: PRNGKeyArray, batch: Batch) -> tuple[tuple[Array, ...], MaskedViews]:
        augment_key, mask_key = jax.random.split(key)
        views = views_of(augment, field(batch, inputs), augment_key)
        return views, masked_views(views, tokens_of, mask, mask_key)

    def init(key: PRNGKeyArray, batch: Batch) -> tuple[Tree, IBOTState]:
        _, views = zeros_of(views_at, key, batch)
        params, stats = variables = network.init(key, views)
        logits = nn.output_like(network, variables, views)
        teacher = start_target(variables, *params)
        centers = (jnp.zeros(x.shape[-1]) for x in (logits.views, logits.tokens))
        return params, IBOTState(stats, teacher, *centers)

    def loss(
        params: Tree, state: IBOTState, batch: Batch, *, key: PRNGKeyArray, step: Int[Array, ""]
    ) -> tuple[Scalar, tuple[IBOTState, Metrics]]:
        views_key, student_key, teacher_key = jax.random.split(key, 3)
        _, views = views_at(views_key, batch)
        params = with_frozen_prototypes(params, step, freeze_prototypes_steps)
        student, stats = network.apply(Variables(params, state.stats), views, train=True, key=student_key)
        teacher, teacher_stats = network.apply(
            state.teacher, views.whole(), train=in_training_mode(state.teacher), key=teacher_key
        )
        targets = losses.dino_targets(
            teacher.views, state.center, temperature=ops.at_step(teacher_temperature, step)
        )
        token_targets = losses.dino_targets(
            teacher.tokens, state.token_center, temperature=ops.at_step(token_temperature, step)
        )
        of_views = losses.dino(student.views, targets, temperature=temperature)
        of_tokens = losses.ibot(
            student.tokens, token_targets, merge_views(views.hidden), temperature=temperature
        )
        metrics = {
            "loss/views": of_views,
            "loss/tokens": of_tokens,
            **target_metrics(targets, of_views),
            **target_metrics(token_targets, name="token_target"),
            "collapse/std": spread(merge_views(student.features)),
        }
        state = IBOTState(
            stats,
            state.teacher._replace(stats=teacher_stats),
            losses.dino_center(state.center, teacher.views, decay=center_decay),
            losses.dino_center(state.token_center, teacher.tokens, decay=center_decay),
        )
        return of_views + token_weight * of_tokens, (state, metrics)

    def update(params: Tree, state: IBOTState, step: Int[Array, ""]) -> IBOTState:
        return state._replace(teacher=move_target(state.teacher, params, decay, step))

    def embed(params: Tree, state: IBOTState, inputs: Array) -> Float[Array, "batch dim"]:
        return embed_class_token(encoder, state.teacher, tokens_of(inputs))

    def show(params: Tree, state: IBOTState, batch: Batch, *, key: PRNGKeyArray) -> dict[str, Array]:
        assert untokenize is not None, "without it, the method has no `show`"
        views, tokens = views_at(key, batch)
        return {"views": pictures_of_views(views, tokens, untokenize, mean=mean, std=std)}

    return Method(init, loss, update, embed, show=show if untokenize else None, diagnose=diagnose)


def diagnose(metrics: Mapping[str, float]) -> list[str]:
    """Whether the teacher's targets, of views or of tokens, are uniform, or one prototype for all."""
    temperatures = {"target": "teacher_temperature", "token_target": "token_temperature"}
    return [
        sentence
        for name, temperature in temperatures.items()
        for sentence in judge_targets(
            metrics,
            name=name,
            uniform=f"try a lower `{temperature}` at the start (0.04), more `freeze_prototypes_steps`, or a "
            "lower learning rate with a longer warm-up",
            single=f"try a lower `center_decay`, or a higher `{temperature}`",
        )
    ]
