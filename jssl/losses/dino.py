"""Self-distillation: the student predicts the teacher's distribution over prototypes."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Scalar

from jssl import ops
from jssl.losses.checks import check_temperature, check_tokens


def dino(
    student: Float[Array, "batch views prototypes"],
    targets: Float[Array, "batch globals prototypes"],
    *,
    temperature: float | Float[Array, ""] = 0.1,
    axis_name: str | None = None,
) -> Scalar:
    """DINO's loss: each view of the student predicts the teacher's distribution of all other global views.

    `L = mean_{g, v != g} -1/N sum_n sum_k p_{n, g, k} log softmax(s_{n, v} / t)_k`

    Args:
        student: logits `[batch, views, prototypes]`, the global views first.
        targets: the teacher's probabilities of the global views, `[batch, globals, prototypes]`, by
            `dino_targets` or, as in DINOv2, `ops.sinkhorn`; no gradient flows here.
        temperature: of the student, above 0.
        axis_name: axis of `jax.pmap` or `jax.shard_map` over which the batch is split. Gradients: see
            `jssl.ops.devices`.

    Returns:
        Mean over the batch and over the `globals * (views - 1)` pairs, a float32 scalar. It is the logarithm
        of the number of prototypes where the student is uniform.

    Raises:
        ValueError: if there are fewer than 2 views, the targets do not fit the logits, or the temperature is
            not above 0.

    Deviation: a mean over the pairs, as in the published implementation, where equation 3 has a sum.

    Reference: Caron et al., 2021, arXiv 2104.14294, equation 3 and algorithm 1.
    """
    _check_targets_fit(student, targets)
    check_temperature(temperature)
    log_p = jax.nn.log_softmax(ops.at_least_float32(student) / temperature, axis=-1)
    targets = jax.lax.stop_gradient(ops.at_least_float32(targets))
    losses = -jnp.einsum("ngk,nvk->ngv", targets, log_p, precision=jax.lax.Precision.HIGHEST)
    of_another_view = ~jnp.eye(targets.shape[1], student.shape[1], dtype=bool)
    return ops.masked_mean(losses, jnp.broadcast_to(of_another_view, losses.shape), axis_name=axis_name)


def dino_targets(
    teacher: Float[Array, "*batch prototypes"],
    center: Float[Array, " prototypes"],
    *,
    temperature: float | Float[Array, ""] = 0.04,
) -> Float[Array, "*batch prototypes"]:
    """The teacher's distribution, centred and sharpened: `softmax((teacher - center) / t)`, without gradient.

    The centre keeps one prototype from taking all examples, the low temperature keeps all from being equal.

    Args:
        teacher: logits.
        center: their running mean, by `dino_center`.
        temperature: above 0 and below the student's; the paper's goes from 0.04 to 0.07 in 30 epochs.

    Raises:
        ValueError: if the temperature is not above 0.

    Reference: Caron et al., 2021, arXiv 2104.14294, section 3.1.
    """
    check_temperature(temperature)
    teacher = jax.lax.stop_gradient(ops.at_least_float32(teacher))
    centered = teacher - center.reshape((1,) * (teacher.ndim - 1) + (-1,))
    return jax.nn.softmax(centered / temperature, axis=-1)


def dino_center(
    center: Float[Array, " prototypes"],
    teacher: Float[Array, "*batch prototypes"],
    *,
    decay: float | Float[Array, ""] = 0.9,
    axis_name: str | None = None,
) -> Float[Array, " prototypes"]:
    """The next centre: `decay * center + (1 - decay) * mean(teacher)`, without gradient.

    Args:
        center: starts at 0.
        teacher: logits of this step.
        decay: in [0, 1).
        axis_name: axis of `jax.pmap` or `jax.shard_map` over which the batch is split.

    Reference: Caron et al., 2021, arXiv 2104.14294, equation 4.
    """
    teacher = jax.lax.stop_gradient(ops.at_least_float32(teacher))
    mean = jnp.mean(teacher, axis=range(teacher.ndim - 1))
    mean = mean if axis_name is None else jax.lax.pmean(mean, axis_name)
    return (decay * center + (1 - decay) * mean).astype(center.dtype)


def ibot(
    student: Float[Array, "batch n prototypes"],
    targets: Float[Array, "batch n prototypes"],
    mask: Bool[Array, "batch n"],
    *,
    temperature: float | Float[Array, ""] = 0.1,
    axis_name: str | None = None,
) -> Scalar:
    """iBOT's loss of tokens: for each masked one the student predicts the teacher's distribution.

    `L = 1/N sum_n 1/|M_n| sum_{i in M_n} -sum_k p_{n, i, k} log softmax(s_{n, i} / t)_k`

    Args:
        student: logits of tokens of the masked examples, `[batch, n, prototypes]`.
        targets: the teacher's probabilities of the same tokens of the whole examples; no gradient flows here.
        mask: true for the tokens that were masked; only they count.
        temperature: of the student, above 0.
        axis_name: axis of `jax.pmap` or `jax.shard_map` over which the batch is split. Gradients: see
            `jssl.ops.devices`.

    Returns:
        Mean over all examples, a float32 scalar; an example without masked tokens counts as 0.

    Raises:
        ValueError: if the shapes do not fit, or the temperature is not above 0.

    Reference: Zhou et al., 2021, arXiv 2111.07832, equation 2.
    """
    check_tokens(student, targets, mask)
    check_temperature(temperature)
    losses = ops.cross_entropy(
        ops.at_least_float32(student) / temperature, jax.lax.stop_gradient(ops.at_least_float32(targets))
    )
    masked = jnp.sum(jnp.where(mask, losses, 0.0), axis=1) / jnp.maximum(jnp.sum(mask, axis=1), 1)
    return ops.mean(masked, axis_name=axis_name)


def _check_targets_fit(student: Array, targets: Array) -> None:
    fits = student.ndim == targets.ndim == 3 and (student.shape[0], student.shape[2]) == targets.shape[::2]
    if not fits or student.shape[1] < 2 or targets.shape[1] > student.shape[1]:
        raise ValueError(
            "expected logits [batch, views, prototypes] of at least 2 views and targets of the first, "
            f"[batch, globals, prototypes], got {student.shape} and {targets.shape}"
        )
