"""Barlow Twins: two views of an example agree in every dimension, and no dimension repeats another."""

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


class BarlowTwinsState(NamedTuple):
    """Batch statistics of the encoder and the projector, by name."""

    stats: Tree


def barlow_twins(
    *,
    encoder: Encoder,
    projector: Encoder,
    augment: Transform,
    redundancy_weight: float = 5e-3,
    scale: float = 1.0,
    inputs: str = "image",
) -> Method:
    """Barlow Twins: `z = projector(encoder(view))`, whose correlations between the views are the identity.

    `L = scale (sum_i (1 - C_ii)^2 + lambda sum_{i != j} C_ij^2)`, C over the batch

    Args:
        encoder: examples to features [batch, dim], which is what `embed` gives.
        projector: features to embeddings [batch, dim], as `nn.mlp((8192, 8192, 8192))`; wide ones do best.
        augment: one example to two views [2, ...], as `pretext.byol_views(224)`.
        redundancy_weight: lambda; 0.0051 in the published ImageNet recipe.
        scale: of the whole loss, which grows with the projector's width; 0.024 and 0.1 in published recipes.
        inputs: name of the batch's array.

    Returns:
        A method with the metrics "loss/invariance" and "loss/redundancy" (unweighted, for each dimension),
        "collapse/std" and "collapse/dimensions" (see `methods.parts`).

    Raises:
        ValueError: for weights that are not above 0; in `init`, where `augment` doesn't give two views.

    Deviations: none known; batch norm takes one view of the whole batch at a time.

    Reference: Zbontar et al., 2021, arXiv 2103.03230, section 2 and algorithm 1.
    """
    if redundancy_weight <= 0 or scale <= 0:
        raise ValueError(f"expected redundancy_weight and scale above 0, got {redundancy_weight} and {scale}")
    network = each_view(nn.chain(encoder=encoder, projector=projector))

    def views_of(key: PRNGKeyArray, batch: Batch) -> Array:
        return augmented(augment, field(batch, inputs), key)

    def init(key: PRNGKeyArray, batch: Batch) -> tuple[Tree, BarlowTwinsState]:
        views = zeros_of(views_of, key, batch)
        check_two_views(views)
        params, stats = network.init(key, views)
        return params, BarlowTwinsState(stats)

    def loss(
        params: Tree, state: BarlowTwinsState, batch: Batch, *, key: PRNGKeyArray, step: Int[Array, ""]
    ) -> tuple[Scalar, tuple[BarlowTwinsState, Metrics]]:
        augment_key, network_key = jax.random.split(key)
        views = views_of(augment_key, batch)
        z, stats = network.apply(Variables(params, state.stats), views, train=True, key=network_key)
        terms = losses.barlow_twins_terms(z[:, 0], z[:, 1])
        z = merge_views(z)
        metrics = {
            "loss/invariance": terms.invariance / z.shape[1],
            "loss/redundancy": terms.redundancy / z.shape[1],
            "collapse/std": spread(z),
            "collapse/dimensions": dimensions(z),
        }
        value = scale * (terms.invariance + redundancy_weight * terms.redundancy)
        return value, (BarlowTwinsState(stats), metrics)

    def update(params: Tree, state: BarlowTwinsState, step: Int[Array, ""]) -> BarlowTwinsState:
        return state

    def embed(params: Tree, state: BarlowTwinsState, inputs: Array) -> Float[Array, "batch dim"]:
        return embed_with(encoder, params["encoder"], state.stats["encoder"], inputs)

    def show(params: Tree, state: BarlowTwinsState, batch: Batch, *, key: PRNGKeyArray) -> dict[str, Array]:
        return {"views": views_of(key, batch)}

    return Method(init, loss, update, embed, show=show, diagnose=diagnose)


def diagnose(metrics: Mapping[str, float]) -> list[str]:
    """Whether the embeddings are all alike, or repeat one dimension in all the others."""
    return warnings.no_spread(metrics, "try a lower learning rate with a warm-up") + warnings.few_dimensions(
        metrics, "try a larger `redundancy_weight`, a wider `projector`, and a larger batch"
    )
