"""NNCLR: the neighbour of one view among earlier examples finds the prediction from the other view."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import jax
from jaxtyping import Array, Float, Int, PRNGKeyArray, Scalar

from jssl import losses, nn, ops
from jssl.core import Batch, Encoder, Method, Metrics, Transform, Tree, Variables
from jssl.methods import warnings
from jssl.methods.parts import (
    augmented,
    check_queue,
    check_two_views,
    each_view,
    embed_with,
    field,
    merge_views,
    project_and_predict,
    random_queue,
    spread,
    zeros_of,
)


class NNCLRState(NamedTuple):
    """Batch statistics by name, and the last projections, in which neighbours are looked for."""

    stats: Tree
    queue: ops.Queue


def nnclr(
    *,
    encoder: Encoder,
    projector: Encoder,
    predictor: Encoder,
    augment: Transform,
    queue_size: int = 65_536,
    temperature: float = 0.1,
    inputs: str = "image",
) -> Method:
    """NNCLR: the positive of a prediction is not the other view, but its nearest neighbour in a queue.

    `z = projector(encoder(view))`, `p = predictor(z)`,
    `L = (nnclr(z_a, p_b, queue) + nnclr(z_b, p_a, queue)) / 2`

    Args:
        encoder: examples to features [batch, dim], which is what `embed` gives.
        projector: features to [batch, dim], as `nn.mlp((2048, 2048, 256))`.
        predictor: projections to as many dimensions, as `nn.mlp((4096, 256))`.
        augment: one example to two views [2, ...], as `pretext.two_views(...)`.
        queue_size: number of projections of the first view that are kept, at least a batch.
        temperature: above 0.
        inputs: name of the batch's array.

    Returns:
        A method with the metrics "contrastive/chance" (the loss over that of a uniform guess, log K),
        "contrastive/accuracy" (the share of first projections whose nearest prediction in the batch is their
        partner's) and "collapse/std" (of the projections, see `methods.parts.spread`).

    Raises:
        ValueError: for numbers out of range; in `init`, where `augment` doesn't give two views or the queue
            is shorter than a batch.

    Deviations: none known; batch norm takes one view of the whole batch at a time.

    Reference: Dwibedi et al., 2021, arXiv 2104.14548, section 3.2.
    """
    if temperature <= 0 or queue_size < 1:
        raise ValueError(
            f"expected a temperature above 0 and queue_size of 1 or more, got {temperature} and {queue_size}"
        )
    network = each_view(nn.chain(encoder=encoder, projector=projector))
    whole = each_view(nn.chain(encoder=encoder, projector=projector, predictor=predictor))

    def views_of(key: PRNGKeyArray, batch: Batch) -> Array:
        return augmented(augment, field(batch, inputs), key)

    def init(key: PRNGKeyArray, batch: Batch) -> tuple[Tree, NNCLRState]:
        network_key, queue_key = jax.random.split(key)
        views = zeros_of(views_of, network_key, batch)
        check_two_views(views)
        check_queue(queue_size, len(views))
        params, stats = variables = whole.init(network_key, views)
        dim = nn.output_like(network, variables, views).shape[-1]
        return params, NNCLRState(stats, random_queue(queue_key, queue_size, dim))

    def loss(
        params: Tree, state: NNCLRState, batch: Batch, *, key: PRNGKeyArray, step: Int[Array, ""]
    ) -> tuple[Scalar, tuple[NNCLRState, Metrics]]:
        augment_key, network_key = jax.random.split(key)
        views = views_of(augment_key, batch)
        z, p, stats = project_and_predict(
            network, predictor, Variables(params, state.stats), views, key=network_key
        )
        (z_a, z_b), (p_a, p_b) = z.swapaxes(0, 1), p.swapaxes(0, 1)
        a_to_b, b_to_a = (
            losses.nnclr(z_i, p_j, state.queue.rows, temperature=temperature)
            for z_i, p_j in ((z_a, p_b), (z_b, p_a))
        )
        value = (a_to_b + b_to_a) / 2
        metrics = {
            "contrastive/chance": value / math.log(len(views)),
            "contrastive/accuracy": losses.contrastive_accuracy(z_a, p_b),
            "collapse/std": spread(merge_views(z)),
        }
        newest = ops.l2_normalize(ops.at_least_float32(jax.lax.stop_gradient(z_a)))
        return value, (NNCLRState(stats, ops.queue_push(state.queue, newest)), metrics)

    def update(params: Tree, state: NNCLRState, step: Int[Array, ""]) -> NNCLRState:
        return state

    def embed(params: Tree, state: NNCLRState, inputs: Array) -> Float[Array, "batch dim"]:
        return embed_with(encoder, params["encoder"], state.stats["encoder"], inputs)

    def show(params: Tree, state: NNCLRState, batch: Batch, *, key: PRNGKeyArray) -> dict[str, Array]:
        return {"views": views_of(key, batch)}

    return Method(init, loss, update, embed, show=show, diagnose=diagnose)


def diagnose(metrics: Mapping[str, float]) -> list[str]:
    """Whether the projections have collapsed, and else whether the loss is stuck at chance."""
    return warnings.no_spread(
        metrics, "try a lower learning rate, a longer warm-up, or a lower `temperature`"
    ) or warnings.at_chance(
        metrics,
        "try a lower `temperature`, a larger `queue_size` to find nearer neighbours, or a larger batch",
    )
