"""SwAV: each view of an example predicts to which prototypes the other views were assigned."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, Scalar

from jssl import losses, nn, ops
from jssl.core import Batch, Encoder, Method, Metrics, Transform, Tree, Variables
from jssl.methods import warnings
from jssl.methods.parts import (
    as_input,
    as_one_size,
    check_queue,
    embed_with,
    field,
    frozen_before,
    merge_views,
    project_views,
    spread,
    views_of,
    zeros_of,
)


class SwAVState(NamedTuple):
    """Batch statistics by name, and the last projections of the global views, if there is a queue."""

    stats: Tree
    queue: ops.Queue | None


def swav(
    *,
    encoder: Encoder,
    projector: Encoder,
    num_prototypes: int,
    augment: Transform,
    temperature: float = 0.1,
    epsilon: float = 0.05,
    num_iterations: int = 3,
    queue_size: int = 0,
    queue_start_step: int = 0,
    freeze_prototypes_steps: int = 0,
    inputs: str = "image",
) -> Method:
    """SwAV: online clustering by prototypes, whose Sinkhorn codes are swapped between views.

    `z = projector(encoder(view)) / ||.||`, `scores = z' C / ||C||`; codes of the global views come from
    Sinkhorn-Knopp over the batch (and the queue), and every other view predicts them.

    Args:
        encoder: examples of any of the views' sizes to features [batch, dim], which is what `embed` gives.
        projector: features to [batch, dim], as `nn.mlp((2048, 128))`.
        num_prototypes: number of clusters, 2 or more; some ten times the number of expected classes.
        augment: one example to (globals [g, ...], locals [l, ...]), as `pretext.multi_crop(...)`, or to
            global views only, as `pretext.two_views(...)`.
        temperature: of the predictions, above 0.
        epsilon: of Sinkhorn-Knopp; smaller codes are sharper, larger ones hold off a collapse.
        num_iterations: of Sinkhorn-Knopp.
        queue_size: number of past examples that take part in the assignment, at least a batch; 0 for none.
            Needed where the batch is small beside `num_prototypes`.
        queue_start_step: step from which the queue takes part (the paper: epoch 15). It is filled before.
        freeze_prototypes_steps: steps at the start in which prototypes get no gradient (the paper: 1 epoch).
        inputs: name of the batch's array.

    Returns:
        A method with the metrics "classification/chance" (the loss over that of a uniform guess, log K),
        "prototypes/used" (exponential of the entropy of the mean prediction: the number of prototypes in
        use), "prototypes/confidence" (mean largest probability of a prediction) and "collapse/std" (see
        `methods.parts.spread`).

    Raises:
        ValueError: for numbers out of range; in `init`, where `augment` makes fewer than two global views or
            the queue is shorter than a batch.

    Deviation: prototypes are normalised in the forward pass, not in place before each step; the queue takes
    part from `queue_start_step` on with as many examples as it holds, not only when full.

    Reference: Caron et al., 2020, arXiv 2006.09882, section 3 and algorithm 1.
    """
    _check(temperature, epsilon, num_iterations, queue_size)
    network = nn.chain(encoder=encoder, projector=projector)
    prototypes = nn.prototypes(num_prototypes)

    def make_views(key: PRNGKeyArray, batch: Batch) -> tuple[Array, ...]:
        return views_of(augment, field(batch, inputs), key)

    def score(params: Tree, z: Array) -> Array:
        return prototypes.apply(Variables(params["prototypes"], {}), z, train=True)[0]

    def codes_of(state: SwAVState, params: Tree, scores: Array, step: Int[Array, ""]) -> Array:
        queued = where = None
        if state.queue is not None:
            queued = score(params, state.queue.rows)
            where = ops.queue_valid(state.queue) & (step >= queue_start_step)
        return losses.swav_codes(
            scores, queued=queued, where=where, epsilon=epsilon, num_iterations=num_iterations
        )

    def init(key: PRNGKeyArray, batch: Batch) -> tuple[Tree, SwAVState]:
        network_key, prototypes_key = jax.random.split(key)
        views = zeros_of(make_views, key, batch)
        check_queue(queue_size, len(views[0]))
        variables = network.init(network_key, merge_views(views[0]))
        z = nn.output_like(network, variables, merge_views(views[0]))
        params = {**variables.params, "prototypes": prototypes.init(prototypes_key, z).params}
        queue = ops.queue_init(queue_size, views[0].shape[1], z.shape[1]) if queue_size else None
        return params, SwAVState(variables.stats, queue)

    def loss(
        params: Tree, state: SwAVState, batch: Batch, *, key: PRNGKeyArray, step: Int[Array, ""]
    ) -> tuple[Scalar, tuple[SwAVState, Metrics]]:
        augment_key, network_key = jax.random.split(key)
        views = make_views(augment_key, batch)
        variables = Variables(params, state.stats)
        z, stats = project_views(encoder, projector, variables, views, key=network_key)
        z = ops.l2_normalize(ops.at_least_float32(z))
        params = {**params, "prototypes": frozen_before(params["prototypes"], step, freeze_prototypes_steps)}
        scores = score(params, z)
        num_global = views[0].shape[1]
        codes = codes_of(state, params, scores[:, :num_global], step)
        value = losses.swav(scores, codes, temperature=temperature)
        queue = state.queue and ops.queue_push(state.queue, jax.lax.stop_gradient(z[:, :num_global]))
        metrics = {"classification/chance": value / math.log(num_prototypes)}
        return value, (SwAVState(stats, queue), metrics | _metrics(z, scores / temperature))

    def update(params: Tree, state: SwAVState, step: Int[Array, ""]) -> SwAVState:
        return state

    def embed(params: Tree, state: SwAVState, inputs: Array) -> Float[Array, "batch dim"]:
        return embed_with(encoder, params["encoder"], state.stats["encoder"], inputs)

    def show(params: Tree, state: SwAVState, batch: Batch, *, key: PRNGKeyArray) -> dict[str, Array]:
        network_params = {name: params[name] for name in ("encoder", "projector")}
        images = as_input(field(batch, inputs))
        z, _ = network.apply(Variables(network_params, state.stats), images, train=False)
        return {
            "views": as_one_size(make_views(key, batch)),
            "prototypes": score(params, ops.l2_normalize(z)),
        }

    return Method(init, loss, update, embed, show=show, diagnose=diagnose)


def diagnose(metrics: Mapping[str, float]) -> list[str]:
    """Whether embeddings or prototypes have collapsed, and else whether the loss is stuck at log K."""
    return (
        warnings.no_spread(metrics, "try a lower learning rate, a lower `epsilon`, or more `num_iterations`")
        or _few_used(metrics)
        or warnings.guessing(
            metrics,
            "try a lower `epsilon` (0.03), fewer `num_prototypes` or a longer queue for a small batch, "
            "another learning rate, or more `freeze_prototypes_steps`",
        )
    )


def _few_used(metrics: Mapping[str, float]) -> list[str]:
    used = metrics.get("prototypes/used", math.inf)
    if not used < 2:
        return []
    return [
        f"Collapse to one prototype: the predictions of all views use {used:.1f} prototypes, so try more "
        "`num_iterations`, a higher `epsilon`, or a lower learning rate."
    ]


def _metrics(z: Float[Array, "batch views dim"], logits: Float[Array, "batch views prototypes"]) -> Metrics:
    p = jax.nn.softmax(jax.lax.stop_gradient(logits), axis=-1)
    mean = jnp.mean(p, axis=(0, 1))
    return {
        "prototypes/used": jnp.exp(-jnp.sum(jax.scipy.special.xlogy(mean, mean))),
        "prototypes/confidence": jnp.mean(jnp.max(p, axis=-1)),
        "collapse/std": spread(merge_views(z)),
    }


def _check(temperature: float, epsilon: float, num_iterations: int, queue_size: int) -> None:
    if temperature <= 0 or epsilon <= 0:
        raise ValueError(f"expected temperature and epsilon above 0, got {temperature} and {epsilon}")
    if num_iterations < 1 or queue_size < 0:
        raise ValueError(
            f"expected num_iterations of 1 or more and queue_size of 0 or more, got {num_iterations} and "
            f"{queue_size}"
        )
