"""LeJEPA: the views of an example predict their centre, and embeddings are spread as a Gaussian."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
from jaxtyping import Array, Float, Int, PRNGKeyArray, Scalar

from jssl import losses, nn
from jssl.core import Batch, Encoder, Method, Metrics, Transform, Tree, Variables
from jssl.methods import warnings
from jssl.methods.parts import (
    as_one_size,
    dimensions,
    embed_with,
    field,
    merge_views,
    project_views,
    spread,
    views_of,
    zeros_of,
)


class LeJEPAState(NamedTuple):
    """Batch statistics of the encoder and the projector, by name."""

    stats: Tree


def lejepa(
    *,
    encoder: Encoder,
    projector: Encoder,
    augment: Transform,
    weight: float = 0.05,
    num_projections: int = 1024,
    num_knots: int = 17,
    max_frequency: float = 3.0,
    inputs: str = "image",
) -> Method:
    """LeJEPA: a joint-embedding prediction and SIGReg; no target network, no stop-gradient, no schedule.

    `L = (1 - lambda) mean_v || z_v - mean_g z_g ||^2 / dim + lambda SIGReg(z)`, g the global views

    Args:
        encoder: examples of any of the views' sizes to features [batch, dim], which is what `embed` gives.
        projector: features to embeddings [batch, dim], as `nn.mlp((2048, 2048, 128))`.
        augment: one example to (globals [g, ...], locals [l, ...]), as `pretext.multi_crop(...)`, or to
            global views only, as `pretext.two_views(...)`.
        weight: lambda, in (0, 1], the only number to tune; the paper has 0.01 to 0.1.
        num_projections: SIGReg's directions, drawn anew in each step.
        num_knots: points of SIGReg's integral.
        max_frequency: where the integral ends.
        inputs: name of the batch's array.

    Returns:
        A method with the metrics "loss/invariance" and "loss/sigreg" (unweighted; about 1 for a Gaussian, and
        two fifths of the batch's size where all examples are embedded at 0), "collapse/std" and
        "collapse/dimensions" (see `methods.parts`).

    Raises:
        ValueError: for numbers out of range; in `init`, where `augment` makes fewer than two views.

    Deviation: see `losses.epps_pulley`.

    Reference: Balestriero and LeCun, 2025, arXiv 2511.08544, section 5.
    """
    if not 0 < weight <= 1:
        raise ValueError(f"expected a weight in (0, 1], got {weight}")
    if num_projections < 1 or num_knots < 2 or max_frequency <= 0:
        raise ValueError(
            "expected 1 projection or more, 2 knots or more and a frequency above 0, got "
            f"{num_projections}, {num_knots} and {max_frequency}"
        )
    network = nn.chain(encoder=encoder, projector=projector)

    def make_views(key: PRNGKeyArray, batch: Batch) -> tuple[Array, ...]:
        return views_of(augment, field(batch, inputs), key, num_global=1)

    def init(key: PRNGKeyArray, batch: Batch) -> tuple[Tree, LeJEPAState]:
        views = zeros_of(make_views, key, batch)
        params, stats = network.init(key, merge_views(views[0]))
        return params, LeJEPAState(stats)

    def loss(
        params: Tree, state: LeJEPAState, batch: Batch, *, key: PRNGKeyArray, step: Int[Array, ""]
    ) -> tuple[Scalar, tuple[LeJEPAState, Metrics]]:
        augment_key, network_key, sigreg_key = jax.random.split(key, 3)
        views = make_views(augment_key, batch)
        variables = Variables(params, state.stats)
        z, stats = project_views(encoder, projector, variables, views, key=network_key)
        invariance = losses.view_invariance(z, num_global=views[0].shape[1])
        gaussian = losses.sigreg(
            z,
            key=sigreg_key,
            num_projections=num_projections,
            num_knots=num_knots,
            max_frequency=max_frequency,
        )
        metrics = {
            "loss/invariance": invariance,
            "loss/sigreg": gaussian,
            "collapse/std": spread(merge_views(z)),
            "collapse/dimensions": dimensions(merge_views(z)),
        }
        return (1 - weight) * invariance + weight * gaussian, (LeJEPAState(stats), metrics)

    def update(params: Tree, state: LeJEPAState, step: Int[Array, ""]) -> LeJEPAState:
        return state

    def embed(params: Tree, state: LeJEPAState, inputs: Array) -> Float[Array, "batch dim"]:
        return embed_with(encoder, params["encoder"], state.stats["encoder"], inputs)

    def show(params: Tree, state: LeJEPAState, batch: Batch, *, key: PRNGKeyArray) -> dict[str, Array]:
        return {"views": as_one_size(make_views(key, batch))}

    return Method(init, loss, update, embed, show=show, diagnose=diagnose)


def diagnose(metrics: Mapping[str, float]) -> list[str]:
    """Whether the embeddings are all alike, or lie in a few dimensions."""
    return warnings.no_spread(
        metrics, "try a larger `weight` and a lower learning rate"
    ) + warnings.few_dimensions(metrics, "try a larger `weight`, more `num_projections`, and a larger batch")
