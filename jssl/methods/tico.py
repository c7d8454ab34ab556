"""TiCo: an embedding agrees with a slowly moving copy's of another view, and avoids where all others lie."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, Scalar

from jssl import losses, nn
from jssl.core import Batch, Encoder, Method, Metrics, Schedule, Transform, Tree, Variables
from jssl.methods import warnings
from jssl.methods.parts import (
    augmented,
    check_two_views,
    dimensions,
    embed_with,
    field,
    move_target,
    spread,
    start_target,
    zeros_of,
)


class TiCoState(NamedTuple):
    """Batch statistics by name, the averaged encoder and projector, and the running covariance."""

    stats: Tree
    target: Variables
    covariance: Float[Array, "dim dim"]


def tico(
    *,
    encoder: Encoder,
    projector: Encoder,
    augment: Transform,
    covariance_weight: float = 8.0,
    covariance_decay: float = 0.9,
    decay: float | Schedule = 0.99,
    inputs: str = "image",
) -> Method:
    """TiCo: `z_a = projector(encoder(first view))`, `z_b = target(second view)`, both of length 1.

    `L = 1 - mean z_a^T z_b + rho mean z_a^T C z_a`, `C <- beta C + (1 - beta) mean z_a z_a^T`,
    `target <- decay target + (1 - decay) online`

    Args:
        encoder: examples to features [batch, dim], which is what `embed` gives.
        projector: features to embeddings [batch, dim], as `nn.mlp((4096, 256))`.
        augment: one example to two views [2, ...], as `pretext.byol_views(224)`.
        covariance_weight: rho, above 0; the paper's is 8.
        covariance_decay: beta, in [0, 1); the paper's is 0.9.
        decay: of the target, in [0, 1]; the paper's is `ops.cosine(0.99, 1.0, steps)`.
        inputs: name of the batch's array.

    Returns:
        A method with the metrics "loss/invariance" and "loss/covariance" (unweighted; the latter is 1/dim
        for an even cloud and 1 for one direction), and of the first view's embeddings "collapse/std" and
        "collapse/dimensions" (see `methods.parts`).

    Raises:
        ValueError: for numbers out of range; in `init`, where `augment` doesn't give two views.

    Deviations: none known; the target moves after the step, not before it. No gradient flows into C, as
    lightly reads the paper's figure; other code lets it flow into this batch's share.

    Reference: Zhu et al., 2022, arXiv 2206.10698, equation 4.
    """
    _check(covariance_weight, covariance_decay)
    network = nn.chain(encoder=encoder, projector=projector)

    def views_of(key: PRNGKeyArray, batch: Batch) -> Array:
        return augmented(augment, field(batch, inputs), key)

    def init(key: PRNGKeyArray, batch: Batch) -> tuple[Tree, TiCoState]:
        views = zeros_of(views_of, key, batch)
        check_two_views(views)
        params, stats = variables = network.init(key, views[:, 0])
        dim = nn.output_like(network, variables, views[:, 0]).shape[1]
        target = start_target(variables, "encoder", "projector")
        return params, TiCoState(stats, target, jnp.zeros((dim, dim)))

    def loss(
        params: Tree, state: TiCoState, batch: Batch, *, key: PRNGKeyArray, step: Int[Array, ""]
    ) -> tuple[Scalar, tuple[TiCoState, Metrics]]:
        augment_key, online_key, target_key = jax.random.split(key, 3)
        views = views_of(augment_key, batch)
        online = Variables(params, state.stats)
        z_a, stats = network.apply(online, views[:, 0], train=True, key=online_key)
        z_b, target_stats = network.apply(state.target, views[:, 1], train=True, key=target_key)
        covariance = losses.tico_covariance(state.covariance, z_a, decay=covariance_decay)
        terms = losses.tico_terms(z_a, jax.lax.stop_gradient(z_b), covariance)
        metrics = {
            "loss/invariance": terms.invariance,
            "loss/covariance": terms.covariance,
            "collapse/std": spread(z_a),
            "collapse/dimensions": dimensions(z_a),
        }
        state = TiCoState(stats, state.target._replace(stats=target_stats), covariance)
        return terms.invariance + covariance_weight * terms.covariance, (state, metrics)

    def update(params: Tree, state: TiCoState, step: Int[Array, ""]) -> TiCoState:
        return state._replace(target=move_target(state.target, params, decay, step))

    def embed(params: Tree, state: TiCoState, inputs: Array) -> Float[Array, "batch dim"]:
        return embed_with(encoder, params["encoder"], state.stats["encoder"], inputs)

    def show(params: Tree, state: TiCoState, batch: Batch, *, key: PRNGKeyArray) -> dict[str, Array]:
        return {"views": views_of(key, batch)}

    return Method(init, loss, update, embed, show=show, diagnose=diagnose)


def diagnose(metrics: Mapping[str, float]) -> list[str]:
    """Whether the embeddings are all alike, or lie in a few dimensions."""
    return warnings.no_spread(
        metrics, "try a larger `covariance_weight`, a lower learning rate, and a longer warm-up"
    ) + warnings.few_dimensions(
        metrics, "try a larger `covariance_weight`, a `covariance_decay` nearer to 1, and a larger batch"
    )


def _check(covariance_weight: float, covariance_decay: float) -> None:
    if covariance_weight <= 0:
        raise ValueError(f"expected covariance_weight above 0, got {covariance_weight}")
    if not 0 <= covariance_decay < 1:
        raise ValueError(f"expected covariance_decay of at least 0 and below 1, got {covariance_decay}")
