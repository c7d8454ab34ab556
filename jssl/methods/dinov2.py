"""DINOv2: DINO and iBOT with heads of their own, Sinkhorn-Knopp instead of centres, and KoLeo."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, Scalar

from jssl import losses, ops
from jssl.core import Batch, Encoder, Method, Metrics, Schedule, Tokenizer, Tokens, Transform, Tree, Variables
from jssl.methods import masked
from jssl.methods.distillation_parts import (
    in_training_mode,
    judge_targets,
    target_metrics,
    with_frozen_prototypes,
)
from jssl.methods.parts import (
    field,
    merge_views,
    move_target,
    split_views,
    spread,
    start_target,
    views_of,
    zeros_of,
)
from jssl.methods.token_views import (
    MaskedViews,
    embed_class_token,
    masked_views,
    pictures_of_views,
    token_network,
)


class DINOv2State(NamedTuple):
    """Statistics by name (empty for transformers), and the teacher."""

    stats: Tree
    teacher: Variables


def dinov2(
    *,
    tokenizer: Tokenizer,
    encoder: Encoder,
    head: Encoder,
    token_head: Encoder,
    augment: Transform,
    mask: masked.MaskFunction,
    temperature: float = 0.1,
    teacher_temperature: float | Schedule = 0.04,
    num_iterations: int = 3,
    token_weight: float = 1.0,
    koleo_weight: float = 0.1,
    decay: float | Schedule = 0.992,
    freeze_prototypes_steps: int = 0,
    mean: masked.Moments = 0.0,
    std: masked.Moments = 1.0,
    untokenize: Callable[..., Array] | None = None,
    inputs: str = "image",
) -> Method:
    """DINOv2: discriminative self-supervision of whole views and of masked tokens at once.

    `L = mean_{g, v != g} H(p_g, q_v) + a mean_g 1/|M_g| sum_{i in M_g} H(p_{g, i}, q_{g, i})
         + b sum_g KoLeo(h_g)`,

    where class tokens have the distributions `p_g` (teacher) and `q_v` (student, global views masked), the
    tokens i of the global views `p_{g, i}` and `q_{g, i}`, and class tokens of the student the features
    `h_g`: `p = Sinkhorn(logits / t_teacher)`, `q = softmax(logits / t)`,
    `teacher <- decay teacher + (1 - decay) student`.

    Args:
        tokenizer: of one view of any size, as `nn.patches(14)`.
        encoder: tokens to features, class token first, as `nn.transformer(..., cls_token=True,
            mask_token=True, registers=4)`.
        head: features of class tokens to logits, as `nn.dino_head(65536, learned_lengths=True)`.
        token_head: features of tokens to logits, another of the kind.
        augment: one example to (globals [g, ...], locals [l, ...]), as
            `pretext.dino_views(224, 98, scale=(0.32, 1.0), local_scale=(0.05, 0.32))`.
        mask: of a global view with n tokens, `(key, n) -> BoundedMask`, as
            `lambda key, n: pretext.ibot_mask(key, (16, 16))`.
        temperature: of the student, above 0.
        teacher_temperature: below the student's; the paper's is `ops.linear(0.04, 0.07, steps of 30 epochs)`.
        num_iterations: of Sinkhorn-Knopp.
        token_weight: a, of the tokens' loss.
        koleo_weight: b, of KoLeo, which spreads the features of different examples.
        decay: of the teacher, in [0, 1]; the paper's is `ops.cosine(0.992, 1.0, steps)`.
        freeze_prototypes_steps: steps at the start in which prototypes get no gradient (the paper: 1 epoch).
        mean: of a token's values, or of each channel, subtracted for the network.
        std: of a token's values, or of each channel, by which they are then divided.
        untokenize: `(values [n, p], shape=...) -> example`, as `nn.unpatchify`, for the report's pictures.
        inputs: name of the batch's array.

    Returns:
        A method whose `embed` gives the teacher's class token, with the metrics "loss/views", "loss/tokens"
        and "loss/koleo", those of `methods.distillation_parts.target_metrics` for "target" and
        "token_target", and "collapse/std" (of the student's class tokens, see `methods.parts.spread`).

    Raises:
        ValueError: for numbers out of range; in `init`, where `augment` makes fewer than two global views, or
            the encoder has no class token or mask vector.

    Deviations: KoLeo seeks neighbours in the whole batch, not in a device's; frozen prototypes get no
    gradient, where the published code sets their learning rate to 0.

    Reference: Oquab et al., 2023, arXiv 2304.07193, section 4.
    """
    masked.check_moments(std)
    if temperature <= 0 or num_iterations < 1 or freeze_prototypes_steps < 0:
        raise ValueError(
            "expected temperature above 0, num_iterations of 1 or more and freeze_prototypes_steps of 0 or "
            f"more, got {temperature}, {num_iterations} and {freeze_prototypes_steps}"
        )
    network = token_network(encoder, head, token_head)

    def tokens_of(x: Array) -> Tokens:
        return masked.cut(tokenizer, x, mean, std)

    def views_at(key: PRNGKeyArray, batch: Batch) -> tuple[tuple[Array, ...], MaskedViews]:
        augment_key, mask_key = jax.random.split(key)
        views = views_of(augment, field(batch, inputs), augment_key)
        return views, masked_views(views, tokens_of, mask, mask_key)

    def shared_out(
        logits: Float[Array, "batch views prototypes"],
        step: Int[Array, ""],
        where: Bool[Array, " rows"] | None = None,
    ) -> Float[Array, "batch views prototypes"]:
        scores = merge_views(logits) / ops.at_step(teacher_temperature, step)
        codes = ops.sinkhorn(scores, epsilon=1.0, num_iterations=num_iterations, where=where)
        return split_views(codes, logits.shape[1])

    def init(key: PRNGKeyArray, batch: Batch) -> tuple[Tree, DINOv2State]:
        _, views = zeros_of(views_at, key, batch)
        params, stats = variables = network.init(key, views)
        return params, DINOv2State(stats, start_target(variables, *params))

    def loss(
        params: Tree, state: DINOv2State, batch: Batch, *, key: PRNGKeyArray, step: Int[Array, ""]
    ) -> tuple[Scalar, tuple[DINOv2State, Metrics]]:
        views_key, student_key, teacher_key = jax.random.split(key, 3)
        _, views = views_at(views_key, batch)
        params = with_frozen_prototypes(params, step, freeze_prototypes_steps)
        student, stats = network.apply(Variables(params, state.stats), views, train=True, key=student_key)
        teacher, teacher_stats = network.apply(
            state.teacher, views.whole(), train=in_training_mode(state.teacher), key=teacher_key
        )
        hidden = merge_views(views.hidden)
        # Where a small batch has no hidden token at all, any may share the prototypes out: none counts.
        sharing = hidden.reshape(-1) | ~jnp.any(hidden)
        targets = shared_out(teacher.views, step)
        token_targets = shared_out(teacher.tokens, step, where=sharing)
        of_views = losses.dino(student.views, targets, temperature=temperature)
        of_tokens = losses.ibot(student.tokens, token_targets, hidden, temperature=temperature)
        global_features = student.features[:, : targets.shape[1]]
        koleo = jnp.sum(jax.vmap(losses.koleo, in_axes=1)(global_features))
        metrics = {
            "loss/views": of_views,
            "loss/tokens": of_tokens,
            "loss/koleo": koleo,
            **target_metrics(targets, of_views),
            **target_metrics(token_targets, name="token_target"),
            "collapse/std": spread(merge_views(student.features)),
        }
        state = DINOv2State(stats, state.teacher._replace(stats=teacher_stats))
        return of_views + token_weight * of_tokens + koleo_weight * koleo, (state, metrics)

    def update(params: Tree, state: DINOv2State, step: Int[Array, ""]) -> DINOv2State:
        return state._replace(teacher=move_target(state.teacher, params, decay, step))

    def embed(params: Tree, state: DINOv2State, inputs: Array) -> Float[Array, "batch dim"]:
        return embed_class_token(encoder, state.teacher, tokens_of(inputs))

    def show(params: Tree, state: DINOv2State, batch: Batch, *, key: PRNGKeyArray) -> dict[str, Array]:
        assert untokenize is not None, "without it, the method has no `show`"
        views, tokens = views_at(key, batch)
        return {"views": pictures_of_views(views, tokens, untokenize, mean=mean, std=std)}

    return Method(init, loss, update, embed, show=show if untokenize else None, diagnose=diagnose)


def diagnose(metrics: Mapping[str, float]) -> list[str]:
    """Whether the teacher's targets, of views or of tokens, are uniform or the same for all."""
    return [
        sentence
        for name in ("target", "token_target")
        for sentence in judge_targets(
            metrics,
            name=name,
            uniform="try a lower `teacher_temperature` at the start (0.04), more `freeze_prototypes_steps`, "
            "or a lower learning rate with a longer warm-up",
            single="try more `num_iterations`, a higher `koleo_weight`, or a lower learning rate",
        )
    ]
