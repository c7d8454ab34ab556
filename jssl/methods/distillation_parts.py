"""What DINO, iBOT, DINOv2 and MSN share: frozen prototypes, and how targets collapse."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Scalar

from jssl.core import Metrics, Tree, Variables
from jssl.methods.parts import frozen_before


def with_frozen_prototypes(params: Tree, step: Int[Array, ""], steps: int) -> Tree:
    """The parameters, where each head's prototypes get no gradient before step number `steps`."""
    if not steps:
        return params
    heads = {name: _frozen(params[name], step, steps) for name in params if name.endswith("head")}
    return {**params, **heads}


def _frozen(head: Tree, step: Int[Array, ""], steps: int) -> Tree:
    if "prototypes" not in head:
        raise ValueError(
            f"expected a head with 'prototypes' for freeze_prototypes_steps={steps}, got {sorted(head)}: use "
            "nn.dino_head"
        )
    return {**head, "prototypes": frozen_before(head["prototypes"], step, steps)}


def check_options(temperature: float, center_decay: float, freeze_prototypes_steps: int) -> None:
    """Numbers that DINO and iBOT share."""
    if temperature <= 0 or not 0 <= center_decay < 1 or freeze_prototypes_steps < 0:
        raise ValueError(
            "expected temperature above 0, center_decay in [0, 1) and freeze_prototypes_steps of 0 or more, "
            f"got {temperature}, {center_decay} and {freeze_prototypes_steps}"
        )


def in_training_mode(teacher: Variables) -> bool:
    """With batch statistics a teacher normalises by its own batch; without them it drops nothing."""
    return bool(jax.tree.leaves(teacher.stats))


def target_metrics(
    targets: Float[Array, "*batch prototypes"], cross_entropy: Scalar | None = None, *, name: str = "target"
) -> Metrics:
    """Figures by which targets show their collapse; entropies in units of log K, that of K prototypes alike.

    "entropy": mean over the targets: 1 where each is uniform, 0 where each is one prototype.
    "mean_entropy": of the mean of all targets: 0 where all are the same single prototype.
    "kl": from the predictions, in nats: 0 where they are perfect, as for targets that are all the same.
    """
    rows = jax.lax.stop_gradient(targets.reshape(-1, targets.shape[-1]))
    maximum = jnp.log(rows.shape[1])
    entropy, mean_entropy = jnp.mean(_entropy(rows)), _entropy(jnp.mean(rows, axis=0))
    figures = {f"{name}/entropy": entropy / maximum, f"{name}/mean_entropy": mean_entropy / maximum}
    if cross_entropy is not None:
        figures[f"{name}/kl"] = jax.lax.stop_gradient(cross_entropy) - entropy
    return figures


def _entropy(p: Float[Array, "*batch prototypes"]) -> Float[Array, "*batch"]:
    return -jnp.sum(jax.scipy.special.xlogy(p, p), axis=-1)


def judge_targets(
    metrics: Mapping[str, float], *, uniform: str, single: str, name: str = "target"
) -> list[str]:
    """A sentence if the targets say nothing of their examples.

    Args:
        metrics: the last ones, of `target_metrics`; without them nothing is said.
        uniform: what to try if each target is spread over all prototypes.
        single: what to try if all targets are the same few prototypes.
        name: of the targets.
    """
    entropy, mean_entropy = metrics.get(f"{name}/entropy", 0.5), metrics.get(f"{name}/mean_entropy", 1.0)
    if entropy > 0.99:
        return [
            f"Uniform collapse: each {name} is spread over all prototypes (entropy {entropy:.3f} log K) and "
            f"the loss stays at log K; after the warm-up that is a collapse, so {uniform}."
        ]
    if mean_entropy < 0.1:
        return [
            f"Collapse to one prototype: nearly every {name} is the same one (entropy of their mean "
            f"{mean_entropy:.3f} log K), so {single}."
        ]
    if mean_entropy - entropy < 0.01:
        return [
            f"Collapse: every {name} is the same distribution (entropy {entropy:.3f} log K, of their mean "
            f"{mean_entropy:.3f} log K); after the warm-up that is a collapse, so {single}."
        ]
    return []
