"""BYOL: from one view of an example, predict what a slowly moving copy of the network makes of the other."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
from jaxtyping import Array, Float, Int, PRNGKeyArray, Scalar

from jssl import losses, nn
from jssl.core import Batch, Encoder, Method, Metrics, Schedule, Transform, Tree, Variables
from jssl.methods import warnings
from jssl.methods.parts import (
    augmented,
    check_two_views,
    dimensions,
    each_view,
    embed_with,
    field,
    merge_views,
    move_target,
    spread,
    start_target,
    zeros_of,
)


class BYOLState(NamedTuple):
    """Batch statistics of the online network by name, and the averaged encoder and projector."""

    stats: Tree
    target: Variables


def byol(
    *,
    encoder: Encoder,
    projector: Encoder,
    predictor: Encoder,
    augment: Transform,
    decay: float | Schedule = 0.996,
    inputs: str = "image",
) -> Method:
    """BYOL: `p = predictor(projector(encoder(view)))` regresses the target's `z` of the other view.

    `L = || p_a - z_b ||^2 + || p_b - z_a ||^2` of unit vectors, `target <- decay target + (1 - decay) online`

    Args:
        encoder: examples to features [batch, dim], which is what `embed` gives.
        projector: features to [batch, dim], as `nn.mlp((4096, 256))`.
        predictor: projections to as many dimensions, as `nn.mlp((4096, 256))`.
        augment: one example to two views [2, ...], as `pretext.byol_views(224)`.
        decay: of the target, in [0, 1]; the paper's is `ops.cosine(0.996, 1.0, steps)`.
        inputs: name of the batch's array.

    Returns:
        A method with the metrics "collapse/std" and "collapse/dimensions" (of the target's projections, see
        `spread` and `dimensions` in `methods.parts`).

    Raises:
        ValueError: in `init`, where `augment` doesn't give two views.

    Deviations: none known; batch norm takes one view of the whole batch at a time.

    Reference: Grill et al., 2020, arXiv 2006.07733, section 3.1 and algorithm 1.
    """
    online = each_view(nn.chain(encoder=encoder, projector=projector, predictor=predictor))
    target = each_view(nn.chain(encoder=encoder, projector=projector))

    def views_of(key: PRNGKeyArray, batch: Batch) -> Array:
        return augmented(augment, field(batch, inputs), key)

    def init(key: PRNGKeyArray, batch: Batch) -> tuple[Tree, BYOLState]:
        views = zeros_of(views_of, key, batch)
        check_two_views(views)
        params, stats = variables = online.init(key, views)
        return params, BYOLState(stats, start_target(variables, "encoder", "projector"))

    def loss(
        params: Tree, state: BYOLState, batch: Batch, *, key: PRNGKeyArray, step: Int[Array, ""]
    ) -> tuple[Scalar, tuple[BYOLState, Metrics]]:
        augment_key, online_key, target_key = jax.random.split(key, 3)
        views = views_of(augment_key, batch)
        p, stats = online.apply(Variables(params, state.stats), views, train=True, key=online_key)
        z, target_stats = target.apply(state.target, views, train=True, key=target_key)
        z = jax.lax.stop_gradient(z)
        value = losses.cosine_regression(p[:, 0], z[:, 1]) + losses.cosine_regression(p[:, 1], z[:, 0])
        state = BYOLState(stats, state.target._replace(stats=target_stats))
        z = merge_views(z)
        return value, (state, {"collapse/std": spread(z), "collapse/dimensions": dimensions(z)})

    def update(params: Tree, state: BYOLState, step: Int[Array, ""]) -> BYOLState:
        return state._replace(target=move_target(state.target, params, decay, step))

    def embed(params: Tree, state: BYOLState, inputs: Array) -> Float[Array, "batch dim"]:
        return embed_with(encoder, params["encoder"], state.stats["encoder"], inputs)

    def show(params: Tree, state: BYOLState, batch: Batch, *, key: PRNGKeyArray) -> dict[str, Array]:
        return {"views": views_of(key, batch)}

    return Method(init, loss, update, embed, show=show, diagnose=diagnose)


def diagnose(metrics: Mapping[str, float]) -> list[str]:
    """Whether the target's projections have collapsed."""
    return warnings.no_spread(
        metrics,
        "try a `decay` nearer to 1, a lower learning rate, a `predictor` with a hidden layer, and batch norm "
        "in `projector` and `predictor`",
    ) or warnings.few_dimensions(
        metrics,
        "try a learning rate for `predictor` ten times that of the other parts, a wider `projector`, or a "
        "stronger `augment`",
    )
