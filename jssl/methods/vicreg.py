"""VICReg: two views of an example agree, while each dimension varies and is uncorrelated with the others."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
from jaxtyping import Array, Float, Int, PRNGKeyArray, Scalar

from jssl import losses, nn
from jssl.core import Batch, Encoder, Method, Metrics, Transform, Tree, Variables
from jssl.methods import warnings
from jssl.methods.parts import (
    augmented,
    check_two_views,
    dimensions,
    each_view,
    embed_with,
    field,
    merge_views,
    spread,
    zeros_of,
)


class VICRegState(NamedTuple):
    """Batch statistics of the encoder and the projector, by name."""

    stats: Tree


def vicreg(
    *,
    encoder: Encoder,
    projector: Encoder,
    augment: Transform,
    invariance_weight: float = 25.0,
    variance_weight: float = 25.0,
    covariance_weight: float = 1.0,
    inputs: str = "image",
) -> Method:
    """VICReg: `z = projector(encoder(view))`, kept alike, varied and uncorrelated by a term each.

    `L = lambda s(A, B) + mu (v(A) + v(B)) / 2 + nu (c(A) + c(B))`; see `losses.vicreg`.

    Args:
        encoder: examples to features [batch, dim], which is what `embed` gives.
        projector: features to embeddings [batch, dim], as `nn.mlp((8192, 8192, 8192))`; wide ones do best.
        augment: one example to two views [2, ...], as `pretext.byol_views(224)`.
        invariance_weight: lambda.
        variance_weight: mu; twice the number that a recipe of solo-learn names, which does not halve.
        covariance_weight: nu.
        inputs: name of the batch's array.

    Returns:
        A method with the metrics "loss/invariance", "loss/variance" and "loss/covariance" (unweighted; the
        variance's is 1 where all examples are embedded alike), "collapse/std" and "collapse/dimensions" (see
        `methods.parts`).

    Raises:
        ValueError: for negative weights; in `init`, where `augment` doesn't give two views.

    Deviations: those of `losses.vicreg`. Batch norm takes one view of the whole batch at a time.

    Reference: Bardes et al., 2021, arXiv 2105.04906, section 4.
    """
    weights = (invariance_weight, variance_weight, covariance_weight)
    if any(weight < 0 for weight in weights):
        raise ValueError(f"expected weights of 0 or more, got {weights}")
    network = each_view(nn.chain(encoder=encoder, projector=projector))

    def views_of(key: PRNGKeyArray, batch: Batch) -> Array:
        return augmented(augment, field(batch, inputs), key)

    def init(key: PRNGKeyArray, batch: Batch) -> tuple[Tree, VICRegState]:
        views = zeros_of(views_of, key, batch)
        check_two_views(views)
        params, stats = network.init(key, views)
        return params, VICRegState(stats)

    def loss(
        params: Tree, state: VICRegState, batch: Batch, *, key: PRNGKeyArray, step: Int[Array, ""]
    ) -> tuple[Scalar, tuple[VICRegState, Metrics]]:
        augment_key, network_key = jax.random.split(key)
        views = views_of(augment_key, batch)
        z, stats = network.apply(Variables(params, state.stats), views, train=True, key=network_key)
        terms = losses.vicreg_terms(z[:, 0], z[:, 1])
        z = merge_views(z)
        metrics = {f"loss/{name}": term for name, term in terms._asdict().items()}
        metrics |= {"collapse/std": spread(z), "collapse/dimensions": dimensions(z)}
        value = (
            invariance_weight * terms.invariance
            + variance_weight * terms.variance
            + covariance_weight * terms.covariance
        )
        return value, (VICRegState(stats), metrics)

    def update(params: Tree, state: VICRegState, step: Int[Array, ""]) -> VICRegState:
        return state

    def embed(params: Tree, state: VICRegState, inputs: Array) -> Float[Array, "batch dim"]:
        return embed_with(encoder, params["encoder"], state.stats["encoder"], inputs)

    def show(params: Tree, state: VICRegState, batch: Batch, *, key: PRNGKeyArray) -> dict[str, Array]:
        return {"views": views_of(key, batch)}

    return Method(init, loss, update, embed, show=show, diagnose=diagnose)


def diagnose(metrics: Mapping[str, float]) -> list[str]:
    """Whether the embeddings are all alike, or repeat one dimension in all the others."""
    advice = "try a larger `variance_weight` and a lower learning rate"
    found = warnings.no_spread(metrics, advice)
    if not found and metrics.get("loss/variance", 0.0) > 0.9:
        found = [
            "Collapse: no dimension of the embeddings varies over the batch (the variance term stands at "
            f"{metrics['loss/variance']:.2f} of 1), so {advice}."
        ]
    return found + warnings.few_dimensions(
        metrics, "try a larger `covariance_weight`, a wider `projector`, and a larger batch"
    )
