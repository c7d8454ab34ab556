"""SimSiam: from one view of an example, predict the same network's projection of the other, held fixed."""

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
    project_and_predict,
    spread,
    zeros_of,
)


class SimSiamState(NamedTuple):
    """Batch statistics of the encoder, the projector and the predictor, by name."""

    stats: Tree


def simsiam(
    *,
    encoder: Encoder,
    projector: Encoder,
    predictor: Encoder,
    augment: Transform,
    inputs: str = "image",
) -> Method:
    """SimSiam: `z = projector(encoder(view))`, and `p = predictor(z)` regresses the `z` of the other view.

    `L = -(cos(p_a, stop_gradient(z_b)) + cos(p_b, stop_gradient(z_a))) / 2`

    Args:
        encoder: examples to features [batch, dim], which is what `embed` gives.
        projector: features to [batch, dim], as `nn.mlp((2048, 2048, 2048), final_norm=True)`.
        predictor: projections to as many dimensions through a bottleneck, as `nn.mlp((512, 2048))`. The paper
            keeps its learning rate constant while the others' decays (`optax.partition` on "predictor").
        augment: one example to two views [2, ...], as `pretext.two_views(...)`.
        inputs: name of the batch's array.

    Returns:
        A method with the metrics "collapse/std" and "collapse/dimensions" (of the projections, see `spread`
        and `dimensions` in `methods.parts`).

    Raises:
        ValueError: in `init`, where `augment` doesn't give two views.

    Deviations: none known; batch norm takes one view of the whole batch at a time.

    Reference: Chen and He, 2020, arXiv 2011.10566, algorithm 1.
    """
    network = each_view(nn.chain(encoder=encoder, projector=projector))
    whole = each_view(nn.chain(encoder=encoder, projector=projector, predictor=predictor))

    def views_of(key: PRNGKeyArray, batch: Batch) -> Array:
        return augmented(augment, field(batch, inputs), key)

    def init(key: PRNGKeyArray, batch: Batch) -> tuple[Tree, SimSiamState]:
        views = zeros_of(views_of, key, batch)
        check_two_views(views)
        params, stats = whole.init(key, views)
        return params, SimSiamState(stats)

    def loss(
        params: Tree, state: SimSiamState, batch: Batch, *, key: PRNGKeyArray, step: Int[Array, ""]
    ) -> tuple[Scalar, tuple[SimSiamState, Metrics]]:
        augment_key, network_key = jax.random.split(key)
        views = views_of(augment_key, batch)
        z, p, stats = project_and_predict(
            network, predictor, Variables(params, state.stats), views, key=network_key
        )
        z = jax.lax.stop_gradient(z)
        value = (losses.negative_cosine(p[:, 0], z[:, 1]) + losses.negative_cosine(p[:, 1], z[:, 0])) / 2
        z = merge_views(z)
        return value, (SimSiamState(stats), {"collapse/std": spread(z), "collapse/dimensions": dimensions(z)})

    def update(params: Tree, state: SimSiamState, step: Int[Array, ""]) -> SimSiamState:
        return state

    def embed(params: Tree, state: SimSiamState, inputs: Array) -> Float[Array, "batch dim"]:
        return embed_with(encoder, params["encoder"], state.stats["encoder"], inputs)

    def show(params: Tree, state: SimSiamState, batch: Batch, *, key: PRNGKeyArray) -> dict[str, Array]:
        return {"views": views_of(key, batch)}

    return Method(init, loss, update, embed, show=show, diagnose=diagnose)


def diagnose(metrics: Mapping[str, float]) -> list[str]:
    """Whether the projections have collapsed."""
    return warnings.no_spread(
        metrics,
        "try a lower learning rate, a constant one for `predictor`, batch norm after the last layer of "
        "`projector` (final_norm=True), or a hidden layer of `predictor` a quarter as wide as its output",
    ) or warnings.few_dimensions(
        metrics,
        "try a learning rate for `predictor` ten times that of the other parts, a wider `encoder`, or a "
        "stronger `augment`",
    )
