"""DINO: from any view of an example, predict how an averaged network assigns its global views."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, Scalar

from jssl import losses, nn, ops
from jssl.core import Batch, Encoder, Method, Metrics, Schedule, Transform, Tree, Variables
from jssl.methods.distillation_parts import (
    check_options,
    in_training_mode,
    judge_targets,
    target_metrics,
    with_frozen_prototypes,
)
from jssl.methods.parts import (
    as_one_size,
    embed_with,
    encode_views,
    field,
    merge_views,
    move_target,
    split_views,
    spread,
    start_target,
    views_of,
    zeros_of,
)


class DINOState(NamedTuple):
    """Batch statistics of the student by name, the teacher, and the centre of its logits."""

    stats: Tree
    teacher: Variables
    center: Float[Array, " prototypes"]


def dino(
    *,
    encoder: Encoder,
    head: Encoder,
    augment: Transform,
    temperature: float = 0.1,
    teacher_temperature: float | Schedule = 0.04,
    decay: float | Schedule = 0.996,
    center_decay: float = 0.9,
    freeze_prototypes_steps: int = 0,
    inputs: str = "image",
) -> Method:
    """DINO: self-distillation without labels, `s = head(encoder(view))`, `t` the same by averaged parameters.

    `L = mean_{g, v != g} H(softmax((t_g - c) / t_teacher), softmax(s_v / t_student))`,
    `teacher <- decay teacher + (1 - decay) student`, `c <- center_decay c + (1 - center_decay) mean t`

    Args:
        encoder: examples of any of the views' sizes to features [batch, dim], as `nn.vit(..., pool="cls")` or
            a residual network.
        head: features to logits [batch, prototypes], as `nn.dino_head(65536)`.
        augment: one example to (globals [g, ...], locals [l, ...]), as `pretext.dino_views(224, 96)`, or to
            global views only, as `pretext.two_views(...)`.
        temperature: of the student, above 0.
        teacher_temperature: below the student's; the paper's is `ops.linear(0.04, 0.07, steps of 30 epochs)`.
        decay: of the teacher, in [0, 1]; the paper's is `ops.cosine(0.996, 1.0, steps)`.
        center_decay: of the centre, in [0, 1).
        freeze_prototypes_steps: steps at the start in which the head's prototypes get no gradient (the paper:
            1 epoch).
        inputs: name of the batch's array.

    Returns:
        A method whose `embed` gives the teacher's features, with the metrics "target/entropy",
        "target/mean_entropy" and "target/kl" (see `methods.distillation_parts.target_metrics`) and
        "collapse/std" (of the student's features, see `methods.parts.spread`).

    Raises:
        ValueError: for numbers out of range; in `init`, where `augment` makes fewer than two global views.

    Deviation: where there is batch norm, the teacher's takes all global views at once.

    Reference: Caron et al., 2021, arXiv 2104.14294, section 3.1 and algorithm 1.
    """
    check_options(temperature, center_decay, freeze_prototypes_steps)
    network = nn.chain(encoder=encoder, head=head)

    def views_at(key: PRNGKeyArray, batch: Batch) -> tuple[Array, ...]:
        return views_of(augment, field(batch, inputs), key)

    def student_logits(
        params: Tree, stats: Tree, views: tuple[Array, ...], key: PRNGKeyArray
    ) -> tuple[Float[Array, "batch views dim"], Float[Array, "batch views prototypes"], Tree]:
        encoder_key, head_key = jax.random.split(key)
        own, own_head = (Variables(params[name], stats[name]) for name in ("encoder", "head"))
        h, encoder_stats = encode_views(encoder, own, views, key=encoder_key)
        logits, head_stats = head.apply(own_head, merge_views(h), train=True, key=head_key)
        return h, split_views(logits, h.shape[1]), {"encoder": encoder_stats, "head": head_stats}

    def teacher_logits(
        teacher: Variables, views: Float[Array, "batch globals ..."], key: PRNGKeyArray
    ) -> tuple[Float[Array, "batch globals prototypes"], Variables]:
        logits, stats = network.apply(teacher, merge_views(views), train=in_training_mode(teacher), key=key)
        return split_views(logits, views.shape[1]), teacher._replace(stats=stats)

    def init(key: PRNGKeyArray, batch: Batch) -> tuple[Tree, DINOState]:
        views = merge_views(zeros_of(views_at, key, batch)[0])
        params, stats = variables = network.init(key, views)
        num_prototypes = nn.output_like(network, variables, views).shape[-1]
        teacher = start_target(variables, "encoder", "head")
        return params, DINOState(stats, teacher, jnp.zeros(num_prototypes))

    def loss(
        params: Tree, state: DINOState, batch: Batch, *, key: PRNGKeyArray, step: Int[Array, ""]
    ) -> tuple[Scalar, tuple[DINOState, Metrics]]:
        augment_key, student_key, teacher_key = jax.random.split(key, 3)
        views = views_at(augment_key, batch)
        params = with_frozen_prototypes(params, step, freeze_prototypes_steps)
        h, student, stats = student_logits(params, state.stats, views, student_key)
        logits, teacher = teacher_logits(state.teacher, views[0], teacher_key)
        targets = losses.dino_targets(
            logits, state.center, temperature=ops.at_step(teacher_temperature, step)
        )
        value = losses.dino(student, targets, temperature=temperature)
        center = losses.dino_center(state.center, logits, decay=center_decay)
        metrics = {**target_metrics(targets, value), "collapse/std": spread(merge_views(h))}
        return value, (DINOState(stats, teacher, center), metrics)

    def update(params: Tree, state: DINOState, step: Int[Array, ""]) -> DINOState:
        return state._replace(teacher=move_target(state.teacher, params, decay, step))

    def embed(params: Tree, state: DINOState, inputs: Array) -> Float[Array, "batch dim"]:
        teacher = state.teacher
        return embed_with(encoder, teacher.params["encoder"], teacher.stats["encoder"], inputs)

    def show(params: Tree, state: DINOState, batch: Batch, *, key: PRNGKeyArray) -> dict[str, Array]:
        return {"views": as_one_size(views_at(key, batch))}

    return Method(init, loss, update, embed, show=show, diagnose=diagnose)


def diagnose(metrics: Mapping[str, float]) -> list[str]:
    """Whether the teacher's targets are uniform, or one prototype for all."""
    return judge_targets(
        metrics,
        uniform="try a lower `teacher_temperature` at the start (0.04), more `freeze_prototypes_steps`, a "
        "lower learning rate with a longer warm-up, or a `decay` further from 1",
        single="try a lower `center_decay`, which lets the centre follow faster, or a higher "
        "`teacher_temperature`",
    )
