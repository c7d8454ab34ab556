"""MoCo: a query finds the key that a slowly moving copy of the network makes of another view."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, Scalar

from jssl import losses, nn, ops
from jssl.core import Batch, Encoder, Method, Metrics, Schedule, Transform, Tree, Variables
from jssl.methods import warnings
from jssl.methods.parts import (
    augmented,
    check_queue,
    check_two_views,
    each_view,
    embed_with,
    field,
    merge_views,
    move_target,
    random_queue,
    spread,
    start_target,
    zeros_of,
)


class MoCoState(NamedTuple):
    """Batch statistics by name, the averaged encoder and projector, and the last keys in a queue, if any."""

    stats: Tree
    target: Variables
    queue: ops.Queue | None


def moco(
    *,
    encoder: Encoder,
    projector: Encoder,
    augment: Transform,
    predictor: Encoder | None = None,
    queue_size: int = 65_536,
    symmetric: bool = False,
    temperature: float = 0.2,
    decay: float | Schedule = 0.999,
    inputs: str = "image",
) -> Method:
    """MoCo v2, whose negatives are a queue of earlier keys; or v3, where they are the batch's other keys.

    `q = predictor(projector(encoder(view)))`, `k = target(other view)`, `target <- decay target + (1 - decay)
    online`; `L = moco(q, k, queue)` with a queue, else `2 t (info_nce(q_a, k_b) + info_nce(q_b, k_a))`.

    Args:
        encoder: examples to features [batch, dim], which is what `embed` gives.
        projector: features to [batch, dim]: `nn.mlp((2048, 128), norm=None)` in v2; in v3
            `nn.mlp((4096, 256), final_norm=True)`, with one layer of 4096 more for ViTs.
        augment: one example to two views [2, ...], as `pretext.two_views(...)`.
        predictor: of v3, `nn.mlp((4096, 256))`, for ViTs with `final_norm=True`; None: queries are
            projections, as in v2.
        queue_size: number of keys that are kept, at least a batch; 0: none, as in v3.
        symmetric: True: both views are queries, as in v3 (and "v2+"); False: the first view only, as in v2.
        temperature: above 0; 0.2 in v2 and for the ViTs of v3, 1.0 for its ResNet-50.
        decay: of the target, in [0, 1]: 0.999 in v2, `ops.cosine(0.99, 1.0, steps)` in v3.
        inputs: name of the batch's array.

    Returns:
        A method with the metrics "contrastive/chance" (the loss over that of a uniform guess, log K), of the
        first view's queries "contrastive/accuracy" (the share that is nearest to its own key among those of
        the batch), and "collapse/std" (of the keys, see `methods.parts.spread`).

    Raises:
        ValueError: for numbers out of range; in `init`, where `augment` doesn't give two views or the queue
            is shorter than a batch.

    Deviations: batch norm takes one view of the whole batch at a time; keys aren't shuffled between devices.
    With a queue, `symmetric` keeps one for each view and takes the mean.

    Reference: He et al., 2019, arXiv 1911.05722, algorithm 1; Chen et al., 2020, arXiv 2003.04297 (v2);
    Chen, Xie and He, 2021, arXiv 2104.02057, algorithm 1 (v3).
    """
    _check(temperature, queue_size)
    parts = {"encoder": encoder, "projector": projector}
    target = each_view(nn.chain(**parts))
    online = target if predictor is None else each_view(nn.chain(**parts, predictor=predictor))
    num_queries = 2 if symmetric else 1

    def views_of(key: PRNGKeyArray, batch: Batch) -> Array:
        return augmented(augment, field(batch, inputs), key)

    def contrast(q: Array, k: Array, queue: ops.Queue | None) -> Scalar:
        """The mean over the columns, each of which holds queries and the keys that belong to them."""
        columns = range(num_queries)
        if queue is None:
            each = [losses.info_nce(q[:, i], k[:, i], temperature=temperature) for i in columns]
        else:
            each = [losses.moco(q[:, i], k[:, i], queue.rows[:, i], temperature=temperature) for i in columns]
        return jnp.mean(jnp.stack(each))

    def init(key: PRNGKeyArray, batch: Batch) -> tuple[Tree, MoCoState]:
        network_key, queue_key = jax.random.split(key)
        views = zeros_of(views_of, network_key, batch)
        check_two_views(views)
        check_queue(queue_size, len(views))
        variables = online.init(network_key, views)
        start = start_target(variables, "encoder", "projector")
        dim = nn.output_like(target, start, views).shape[-1]
        queue = random_queue(queue_key, queue_size, num_queries, dim) if queue_size else None
        return variables.params, MoCoState(variables.stats, start, queue)

    def loss(
        params: Tree, state: MoCoState, batch: Batch, *, key: PRNGKeyArray, step: Int[Array, ""]
    ) -> tuple[Scalar, tuple[MoCoState, Metrics]]:
        augment_key, online_key, target_key = jax.random.split(key, 3)
        views = views_of(augment_key, batch)
        own, other = views[:, :num_queries], views[:, ::-1][:, :num_queries]
        q, stats = online.apply(Variables(params, state.stats), own, train=True, key=online_key)
        k, target_stats = target.apply(state.target, other, train=True, key=target_key)
        k = ops.l2_normalize(ops.at_least_float32(jax.lax.stop_gradient(k)))
        mean = contrast(q, k, state.queue)
        value = mean if queue_size else 2 * temperature * num_queries * mean
        metrics = {
            "contrastive/chance": mean / math.log(queue_size + 1 if queue_size else len(k)),
            "contrastive/accuracy": losses.contrastive_accuracy(q[:, 0], k[:, 0]),
            "collapse/std": spread(merge_views(k)),
        }
        queue = state.queue and ops.queue_push(state.queue, k)
        return value, (MoCoState(stats, state.target._replace(stats=target_stats), queue), metrics)

    def update(params: Tree, state: MoCoState, step: Int[Array, ""]) -> MoCoState:
        return state._replace(target=move_target(state.target, params, decay, step))

    def embed(params: Tree, state: MoCoState, inputs: Array) -> Float[Array, "batch dim"]:
        return embed_with(encoder, params["encoder"], state.stats["encoder"], inputs)

    def show(params: Tree, state: MoCoState, batch: Batch, *, key: PRNGKeyArray) -> dict[str, Array]:
        return {"views": views_of(key, batch)}

    return Method(init, loss, update, embed, show=show, diagnose=diagnose)


def diagnose(metrics: Mapping[str, float]) -> list[str]:
    """Whether the keys have collapsed, and else whether the loss is stuck at chance."""
    return warnings.no_spread(
        metrics,
        "try a lower learning rate, a longer warm-up, a lower `temperature`, or a `decay` nearer to 1",
    ) or warnings.at_chance(
        metrics,
        "try a lower `temperature`, a `decay` nearer to 1, a smaller `queue_size`, or another `augment`",
    )


def _check(temperature: float, queue_size: int) -> None:
    if temperature <= 0:
        raise ValueError(f"expected a temperature above 0, got {temperature}")
    if queue_size < 0:
        raise ValueError(f"expected queue_size of 0 or more, got {queue_size}")
