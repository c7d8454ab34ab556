"""DeepCluster-v2: every view of an example finds the centroid of the cluster that the example was in last."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, Scalar

from jssl import losses, nn, ops
from jssl.core import Batch, Encoder, Method, Metrics, Transform, Tree, Variables
from jssl.methods import warnings
from jssl.methods.cluster_parts import (
    check_dataset,
    check_index,
    cluster_metrics,
    fetch,
    judge_clusters,
    labels_of,
    spread_rows,
    sweep,
)
from jssl.methods.parts import (
    as_input,
    as_one_size,
    embed_with,
    field,
    merge_views,
    project_views,
    spread,
    views_of,
    zeros_of,
)


class DeepClusterV2State(NamedTuple):
    """What the next steps and the next refresh need.

    stats: batch statistics by name.
    memory: the last projection of each global view of each example.
    assignments: each head's cluster of each example; -1 before the first refresh.
    prototypes: each head's centroids, of length 1.
    """

    stats: Tree
    memory: Float[Array, "globals examples dim"]
    assignments: Int[Array, "heads examples"]
    prototypes: tuple[Float[Array, "clusters dim"], ...]


def deepcluster_v2(
    *,
    encoder: Encoder,
    projector: Encoder,
    num_prototypes: Sequence[int],
    num_examples: int,
    augment: Transform,
    temperature: float = 0.1,
    num_iterations: int = 10,
    inputs: str = "image",
) -> Method:
    """DeepCluster-v2: prototypes are the centroids of a memory of last epoch's projections.

    `z = projector(encoder(view)) / ||.||`,
    `L = -mean_{h, n, v} log softmax(z_nv C_h / t)_{y_hn}`, over heads, examples and views

    where a refresh finds the centroids `C_h` and the clusters `y_h` by spherical k-means of the memory, which
    every step writes its projections to. No gradient changes the prototypes; no features are computed anew.

    Args:
        encoder: examples of any of the views' sizes to features [batch, dim], which is what `embed` gives.
        projector: features to [batch, dim], as `nn.mlp((2048, 128))`.
        num_prototypes: clusters of each head; (3000, 3000, 3000) in the published recipes. Head h clusters
            the memory of global view h, beginning anew after the last.
        num_examples: of the training source, which must be `data.indexed(...)`.
        augment: one example to (globals [g, ...], locals [l, ...]), as `pretext.multi_crop(...)`, or to
            global views only, as `pretext.two_views(...)`.
        temperature: of the predictions, above 0.
        num_iterations: of k-means, which starts from random rows.
        inputs: name of the batch's array.

    Returns:
        A method with the metrics "clusters/accuracy" (share of views nearest to their centroid, over all
        heads), "clusters/assigned" (share of the batch that has a cluster), "classification/chance" (the loss
        in units of log K, that of a guess) and "collapse/std" (see `methods.parts.spread`), and at each
        refresh those of `methods.cluster_parts.cluster_metrics`. Set `Experiment.refresh_every` to the steps
        of an epoch.

    Raises:
        ValueError: for numbers out of range; in `init` and `refresh`, where examples carry no "index" or are
            not `num_examples`; in `init`, where `augment` makes fewer than two views.

    Deviation: a cluster that becomes empty takes half of a large one, where the published code leaves it.

    Reference: Caron et al., 2020, arXiv 2006.09882, appendix D; the authors' main_deepclusterv2.py.
    """
    sizes = tuple(num_prototypes)
    _check(sizes, num_examples, temperature, num_iterations)
    network = nn.chain(encoder=encoder, projector=projector)

    def make_views(key: PRNGKeyArray, batch: Batch) -> tuple[Array, ...]:
        return views_of(augment, field(batch, inputs), key, num_global=1)

    def project(
        params: Tree, stats: Tree, views: tuple[Array, ...], key: PRNGKeyArray
    ) -> tuple[Float[Array, "batch views dim"], Tree]:
        z, stats = project_views(encoder, projector, Variables(params, stats), views, key=key)
        return ops.l2_normalize(ops.at_least_float32(z)), stats

    def init(key: PRNGKeyArray, batch: Batch) -> tuple[Tree, DeepClusterV2State]:
        network_key, prototypes_key = jax.random.split(key)
        views = zeros_of(make_views, key, batch)
        check_index(batch)
        params, stats = variables = network.init(network_key, merge_views(views[0]))
        dim = nn.output_like(network, variables, merge_views(views[0])).shape[1]
        shapes = [(size, dim) for size in sizes]
        drawn = map(jax.random.normal, jax.random.split(prototypes_key, len(sizes)), shapes)
        return params, DeepClusterV2State(
            stats,
            memory=jnp.zeros((views[0].shape[1], num_examples, dim)),
            assignments=jnp.full((len(sizes), num_examples), -1, jnp.int32),
            prototypes=tuple(map(ops.l2_normalize, drawn)),
        )

    def loss(
        params: Tree, state: DeepClusterV2State, batch: Batch, *, key: PRNGKeyArray, step: Int[Array, ""]
    ) -> tuple[Scalar, tuple[DeepClusterV2State, Metrics]]:
        augment_key, network_key = jax.random.split(key)
        views, index = make_views(augment_key, batch), check_index(batch)
        z, stats = project(params, state.stats, views, network_key)
        prototypes = jax.lax.stop_gradient(state.prototypes)
        scores, labels = [_scores(z, own) for own in prototypes], state.assignments[:, index]
        pairs = list(zip(scores, labels, strict=True))
        values = jnp.stack([losses.pseudo_label(*pair, temperature=temperature) for pair in pairs])
        metrics = {
            "clusters/accuracy": jnp.mean(jnp.stack([_accuracy(*pair) for pair in pairs])),
            "clusters/assigned": jnp.mean(labels >= 0, dtype=jnp.float32),
            "classification/chance": jnp.mean(values / jnp.log(jnp.asarray(sizes, jnp.float32))),
            "collapse/std": spread(merge_views(z)),
        }
        memory = _remember(state.memory, index, z[:, : len(state.memory)])
        return jnp.mean(values), (state._replace(stats=stats, memory=memory), metrics)

    def update(params: Tree, state: DeepClusterV2State, step: Int[Array, ""]) -> DeepClusterV2State:
        return state

    def embed(params: Tree, state: DeepClusterV2State, inputs: Array) -> Float[Array, "batch dim"]:
        return embed_with(encoder, params["encoder"], state.stats["encoder"], inputs)

    @jax.jit
    def first_look(
        params: Tree, stats: Tree, key: PRNGKeyArray, batch: Batch, number: Int[Array, ""]
    ) -> dict[str, Array]:
        augment_key, network_key = jax.random.split(jax.random.fold_in(key, number))
        views = make_views(augment_key, batch)[:1]
        return {"z": project(params, stats, views, network_key)[0]}

    def filled(params: Tree, state: DeepClusterV2State, dataset: Any, key: PRNGKeyArray) -> np.ndarray:
        """The memory; before the first step, of a pass over the data set, as in the published code."""
        if fetch(state.assignments).min() >= 0:
            return fetch(state.memory)
        look = partial(first_look, params, state.stats, key)
        z = sweep(look, dataset, (inputs,), beside=params)["z"]
        return np.ascontiguousarray(z.swapaxes(0, 1))

    @partial(jax.jit, static_argnames="size")
    def cluster(z: Array, where: Bool[Array, " n"], key: PRNGKeyArray, size: int) -> ops.KMeans:
        return ops.kmeans(
            z, size, key=key, num_iterations=num_iterations, start="random", spherical=True, where=where
        )

    def refresh(
        params: Tree, state: DeepClusterV2State, dataset: Any, *, key: PRNGKeyArray
    ) -> tuple[Tree, DeepClusterV2State, dict[str, float]]:
        check_dataset(dataset, num_examples)
        memory_key, *cluster_keys = jax.random.split(key, 1 + len(sizes))
        memory = filled(params, state, dataset, memory_key)
        heads = [
            fetch(cluster(*spread_rows(memory[head % len(memory)], beside=params), own_key, size))
            for head, (own_key, size) in enumerate(zip(cluster_keys, sizes, strict=True))
        ]
        assignments = np.stack([head.assignments[:num_examples] for head in heads])
        counts = [head.counts for head in heads]
        metrics = cluster_metrics(assignments, fetch(state.assignments), labels_of(dataset), counts)
        state = state._replace(
            memory=jnp.asarray(memory),
            assignments=jnp.asarray(assignments),
            prototypes=tuple(jnp.asarray(head.centroids) for head in heads),
        )
        return params, state, metrics

    def show(params: Tree, state: DeepClusterV2State, batch: Batch, *, key: PRNGKeyArray) -> dict[str, Array]:
        images = as_input(field(batch, inputs))
        z, _ = network.apply(Variables(params, state.stats), images, train=False)
        scores = _scores(ops.l2_normalize(ops.at_least_float32(z)), state.prototypes[0])
        return {"views": as_one_size(make_views(key, batch)), "clusters": scores}

    def diagnose(metrics: Mapping[str, float]) -> list[str]:
        advice = "try a lower learning rate, fewer prototypes, or to refresh less often"
        found = judge_clusters(metrics, min(sizes), advice) + warnings.no_spread(metrics, advice)
        return found or warnings.guessing(metrics, "try a lower `temperature` or a higher learning rate")

    return Method(init, loss, update, embed, refresh, show, diagnose)


def _scores(
    z: Float[Array, "*batch dim"], prototypes: Float[Array, "clusters dim"]
) -> Float[Array, "*batch clusters"]:
    """Cosines; accelerators would round float32 here, which temperatures of 0.1 and below make large."""
    return jnp.matmul(z, prototypes.T, precision=jax.lax.Precision.HIGHEST)


def _accuracy(scores: Float[Array, "batch views clusters"], labels: Int[Array, " batch"]) -> Scalar:
    return losses.classification_accuracy(scores, jnp.broadcast_to(labels[:, None], scores.shape[:2]))


def _remember(
    memory: Float[Array, "globals examples dim"],
    index: Int[Array, " batch"],
    z: Float[Array, "batch globals dim"],
) -> Float[Array, "globals examples dim"]:
    """Write the projections to their examples' places; of an example that comes twice, the last ones."""
    again = jnp.any(jnp.triu(index[:, None] == index[None, :], 1), axis=1)
    places = jnp.where(again, memory.shape[1], index)
    return memory.at[:, places].set(jax.lax.stop_gradient(z).swapaxes(0, 1), mode="drop")


def _check(sizes: tuple[int, ...], num_examples: int, temperature: float, num_iterations: int) -> None:
    if not sizes or not min(sizes) >= 2 or max(sizes) > num_examples:
        raise ValueError(
            "expected num_prototypes of one head or more, each from 2 to as many clusters as examples, got "
            f"{sizes} for {num_examples} examples"
        )
    if temperature <= 0 or num_iterations < 1:
        raise ValueError(
            f"expected a temperature above 0 and 1 iteration or more, got {temperature} and {num_iterations}"
        )
