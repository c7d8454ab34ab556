"""DeepCluster: cluster the features of the whole data set, learn to tell the clusters apart, and again."""

from collections.abc import Mapping
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
    spread_rows,
    sweep,
)
from jssl.methods.parts import as_input, augmented, embed_with, field, spread, zeros_of


class DeepClusterState(NamedTuple):
    """Batch statistics by name, each example's cluster (-1: none yet), and each cluster's weight."""

    stats: Tree
    assignments: Int[Array, " examples"]
    weights: Float[Array, " clusters"]


def deepcluster(
    *,
    encoder: Encoder,
    num_clusters: int,
    num_examples: int,
    augment: Transform,
    pca_dim: int | None = 256,
    num_iterations: int = 20,
    inputs: str = "image",
) -> Method:
    """DeepCluster: the clusters of the features are the classes of the next epoch.

    `L = -mean_n w_{y_n} log softmax(head(encoder(view_n)))_{y_n}`, `w_k = examples / (clusters |k|)`

    where a refresh embeds all examples, whitens the principal components of the features and scales them to
    length 1, finds `y` by k-means, and draws a new head. As in the paper, an empty cluster takes half of a
    large one, and clusters of any size count alike, so that it does not pay to put all examples into one.

    Args:
        encoder: examples to features [batch, dim], which are clustered and which `embed` gives.
        num_clusters: some ten times the number of expected classes; 10 000 in the paper.
        num_examples: of the training source, which must be `data.indexed(...)`.
        augment: one example to one view of the same kind, as `pretext.compose(...)`.
        pca_dim: principal components that are clustered, at most dim; None: all features as they are.
        num_iterations: of k-means.
        inputs: name of the batch's array.

    Returns:
        A method with the metrics "clusters/accuracy" (share of the batch whose cluster is predicted),
        "clusters/assigned" (share that has one) and "collapse/std" (see `methods.parts.spread`), and at each
        refresh those of `methods.cluster_parts.cluster_metrics`. Set `Experiment.refresh_every` to the steps
        of an epoch.

    Raises:
        ValueError: for numbers out of range; in `init` and `refresh`, where examples carry no "index" or are
            not `num_examples`.

    Deviations: any encoder takes the place of AlexNet or VGG on Sobel-filtered images; clusters are weighted
    in the loss, which the paper names as equivalent, instead of sampled evenly; k-means begins by k-means++;
    the optimizer keeps its momentum of the head.

    Reference: Caron et al., 2018, arXiv 1807.05520, section 3.
    """
    _check(num_clusters, num_examples, pca_dim, num_iterations)
    head = nn.linear(num_clusters)
    network = nn.chain(encoder=encoder, head=head)

    def views_of(key: PRNGKeyArray, batch: Batch) -> Array:
        return augmented(augment, field(batch, inputs), key)

    def new_head(key: PRNGKeyArray, features: Float[Array, "batch dim"]) -> Tree:
        """Weights of N(0, 0.01^2), as published: a new head says nothing and sends back little."""
        kernel_scale = 0.01 * jnp.sqrt(features.shape[1])
        return jax.tree.map(lambda p: kernel_scale * p, head.init(key, features).params)

    def init(key: PRNGKeyArray, batch: Batch) -> tuple[Tree, DeepClusterState]:
        network_key, head_key = jax.random.split(key)
        views = zeros_of(views_of, key, batch)
        params, stats = variables = network.init(network_key, views)
        check_index(batch)
        features = nn.output_like(nn.chain(encoder=encoder), variables, views)
        params = {**params, "head": new_head(head_key, features)}
        assignments = jnp.full(num_examples, -1, jnp.int32)
        return params, DeepClusterState(stats, assignments, jnp.ones(num_clusters))

    def loss(
        params: Tree, state: DeepClusterState, batch: Batch, *, key: PRNGKeyArray, step: Int[Array, ""]
    ) -> tuple[Scalar, tuple[DeepClusterState, Metrics]]:
        augment_key, network_key = jax.random.split(key)
        views = views_of(augment_key, batch)
        h, encoder_stats = encoder.apply(
            Variables(params["encoder"], state.stats["encoder"]), views, train=True, key=network_key
        )
        logits, _ = head.apply(Variables(params["head"], state.stats["head"]), h, train=True)
        labels = state.assignments[check_index(batch)]
        metrics = {
            "clusters/accuracy": losses.classification_accuracy(logits, labels),
            "clusters/assigned": jnp.mean(labels >= 0, dtype=jnp.float32),
            "collapse/std": spread(h),
        }
        value = losses.pseudo_label(logits, labels, weights=state.weights)
        return value, (state._replace(stats={**state.stats, "encoder": encoder_stats}), metrics)

    def update(params: Tree, state: DeepClusterState, step: Int[Array, ""]) -> DeepClusterState:
        return state

    def embed(params: Tree, state: DeepClusterState, inputs: Array) -> Float[Array, "batch dim"]:
        return embed_with(encoder, params["encoder"], state.stats["encoder"], inputs)

    @jax.jit
    def describe(
        params: Tree, state: DeepClusterState, batch: Batch, number: Int[Array, ""]
    ) -> dict[str, Array]:
        features = embed(params, state, batch[inputs])
        return {"features": features} | {name: batch[name] for name in batch if name != inputs}

    @jax.jit
    def cluster(features: Array, where: Bool[Array, " n"], key: PRNGKeyArray) -> ops.KMeans:
        if pca_dim is not None:
            features = ops.l2_normalize(ops.pca_whiten(features, pca_dim, where=where))
        return ops.kmeans(features, num_clusters, key=key, num_iterations=num_iterations, where=where)

    def refresh(
        params: Tree, state: DeepClusterState, dataset: Any, *, key: PRNGKeyArray
    ) -> tuple[Tree, DeepClusterState, dict[str, float]]:
        check_dataset(dataset, num_examples)
        head_key, cluster_key = jax.random.split(key)
        found = sweep(partial(describe, params, state), dataset, (inputs, "label"), beside=params)
        clusters = fetch(cluster(*spread_rows(found["features"], beside=params), cluster_key))
        assignments = clusters.assignments[:num_examples]
        metrics = cluster_metrics(
            assignments[None], fetch(state.assignments)[None], found.get("label"), [clusters.counts]
        )
        state = state._replace(assignments=jnp.asarray(assignments), weights=_weights(clusters.counts))
        params = {**params, "head": new_head(head_key, jnp.asarray(found["features"][:1]))}
        return params, state, metrics

    def show(params: Tree, state: DeepClusterState, batch: Batch, *, key: PRNGKeyArray) -> dict[str, Array]:
        views = [views_of(own, batch) for own in jax.random.split(key)]
        images = as_input(field(batch, inputs))
        logits, _ = network.apply(Variables(params, state.stats), images, train=False)
        return {"views": jnp.stack(views, axis=1), "clusters": logits}

    def diagnose(metrics: Mapping[str, float]) -> list[str]:
        return judge_clusters(
            metrics, num_clusters, "try a lower learning rate, another `pca_dim`, or fewer clusters"
        ) + warnings.no_spread(metrics, "try a lower learning rate and refresh less often", below=0.02)

    return Method(init, loss, update, embed, refresh, show, diagnose)


def _weights(counts: Int[np.ndarray, " clusters"]) -> Float[Array, " clusters"]:
    """By which every cluster that has examples counts alike, with a mean over the examples of 1."""
    used = np.sum(counts > 0)
    return jnp.asarray(np.where(counts > 0, counts.sum() / (used * np.maximum(counts, 1)), 0), jnp.float32)


def _check(num_clusters: int, num_examples: int, pca_dim: int | None, num_iterations: int) -> None:
    if not 2 <= num_clusters <= num_examples:
        raise ValueError(
            f"expected from 2 to as many clusters as examples, got {num_clusters} for {num_examples}"
        )
    if num_iterations < 1 or (pca_dim is not None and pca_dim < 1):
        raise ValueError(
            f"expected num_iterations and pca_dim of 1 or more, got {num_iterations} and {pca_dim}"
        )
