"""Weighted k-nearest-neighbour classification of frozen features."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jssl import ops
from jssl.evals.eval import (
    AnyArray,
    Eval,
    Split,
    count_classes,
    require_finite,
    require_labels,
    require_same_width,
)
from jssl.evals.metrics import accuracy, macro_f1

SIMILARITIES = 2**23
"""How many similarities are held at once (32 MiB of float32): bounds the memory for any test set."""

GROUP = 16
"""So many similarities are looked at by their largest before they are looked at one by one."""


def knn_predict(
    train_features: Float[AnyArray, "n dim"],
    train_labels: Int[AnyArray, " n"],
    test_features: Float[AnyArray, "m dim"],
    *,
    k: int = 20,
    temperature: float = 0.07,
    num_classes: int | None = None,
) -> Int[Array, " m"]:
    """The class with the most weight among the k nearest training examples.

        class = argmax_c sum_{i in the k nearest} exp(cos(x, x_i) / temperature) [label_i = c]

    Args:
        train_features: the bank of n examples with labels.
        train_labels: class numbers from 0.
        test_features: m examples to classify.
        k: neighbours that vote, from 1 to n.
        temperature: above 0; the smaller, the more the very nearest decide.
        num_classes: one more than the highest label; found from the labels if None.

    Returns:
        Class numbers; of classes with equal weight the lowest.

    Raises:
        ValueError: shapes that don't fit, labels below 0, features that are not finite, k above n.

    Reference: Wu et al., 2018, arXiv 1805.01978, section 3.4.
    """
    require_same_width(train_features, test_features)
    labels = require_labels(train_labels, len(train_features), "training labels")
    if not 1 <= k <= len(labels):
        raise ValueError(f"expected k from 1 to the {len(labels)} training examples, got k={k}: lower it")
    if temperature <= 0:
        raise ValueError(f"expected a temperature above 0, got {temperature}")
    require_finite(train_features, "training features")
    require_finite(test_features, "test features")
    classes = count_classes(labels) if num_classes is None else num_classes
    bank, queries = (jnp.asarray(x, jnp.float32) for x in (train_features, test_features))
    return _vote(bank, jnp.asarray(labels), queries, temperature, k=k, num_classes=classes)


@partial(jax.jit, static_argnames=("k", "num_classes"))
def _vote(bank: Any, labels: Any, queries: Any, temperature: Any, *, k: int, num_classes: int) -> Array:
    bank = ops.l2_normalize(bank)

    def classify(query: Array) -> Array:
        similarity = jnp.matmul(bank, ops.l2_normalize(query), precision=jax.lax.Precision.HIGHEST)
        nearest, index = _largest(similarity, k)
        # Relative to the nearest, or exp overflows at low temperatures.
        weight = jnp.exp((nearest - nearest[0]) / temperature)
        # Compared with each class: a scatter takes the neighbours one after the other on a CPU.
        votes = jnp.arange(num_classes)[:, None] == labels[index][None, :]
        return jnp.argmax(jnp.sum(jnp.where(votes, weight[None, :], 0.0), axis=1))

    tile = max(1, min(len(queries), SIMILARITIES // len(bank)))
    return jax.lax.map(classify, queries, batch_size=tile)


def _largest(x: Float[Array, " n"], k: int) -> tuple[Float[Array, " {k}"], Int[Array, " {k}"]]:
    """`jax.lax.top_k`, of equal values any: the k largest lie in the k groups with the largest maxima."""
    groups = len(x) // GROUP
    if groups < 2 * k:
        return _top_k(x, k)
    whole = GROUP * groups
    grouped = x[:whole].reshape(GROUP, groups)
    _, best = _top_k(jnp.max(grouped, axis=0), k)
    places = best[None] + groups * jnp.arange(GROUP)[:, None]
    index = jnp.concatenate([places.ravel(), jnp.arange(whole, len(x))])
    values, at = _top_k(jnp.concatenate([grouped[:, best].ravel(), x[whole:]]), k)
    return values, index[at]


def _top_k(x: Array, k: int) -> tuple[Array, Array]:
    # The barrier keeps XLA's CPU backend from sorting all of x: it would no longer see what is taken of it.
    values, index = jax.lax.optimization_barrier(jax.lax.top_k(x, k))
    return values, index


def knn_accuracy(
    train_features: Float[AnyArray, "n dim"],
    train_labels: Int[AnyArray, " n"],
    test_features: Float[AnyArray, "m dim"],
    test_labels: Int[AnyArray, " m"],
    *,
    k: int = 20,
    temperature: float = 0.07,
) -> float:
    """The share of test examples that `knn_predict` classifies right, in [0, 1]."""
    labels = require_labels(test_labels, len(test_features), "test labels")
    predictions = knn_predict(train_features, train_labels, test_features, k=k, temperature=temperature)
    return float(accuracy(predictions, labels))


def knn(*, k: int = 20, temperature: float = 0.07, every: int | None = None) -> Eval:
    """Evaluation by weighted nearest neighbours: "knn/accuracy" and "knn/macro_f1" of the test set.

    Args:
        k: neighbours that vote.
        temperature: of their weights, above 0.
        every: steps between runs while training; None: after the run only.
    """

    def run(key: PRNGKeyArray, train: Split, test: Split) -> dict[str, float]:
        train_labels = require_labels(train.labels, len(train.features), "training labels")
        labels = require_labels(test.labels, len(test.features), "test labels")
        require_same_width(train.features, test.features)
        predictions = knn_predict(train.features, train_labels, test.features, k=k, temperature=temperature)
        classes = count_classes(train_labels, labels)
        return {
            "knn/accuracy": float(accuracy(predictions, labels)),
            "knn/macro_f1": float(macro_f1(predictions, labels, num_classes=classes)),
        }

    return Eval("knn", run, every)
