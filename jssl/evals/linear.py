"""The linear probe: how much of the labels a linear classifier reads from frozen features."""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
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
from jssl.evals.logistic import logistic_regression
from jssl.evals.subsets import budget_scores, fold_numbers, label_subsets

STRENGTHS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""L2 strengths that the probe chooses among, for standardised features and a mean over the examples."""

FOLDS = 5
"""Each fold holds a fifth of the examples."""

MANY = 1000
"""From so many examples on, one fold is held out, below it each in turn."""


class LinearClassifier(NamedTuple):
    """Logits are `features @ kernel + bias`; `l2` is the strength that was chosen."""

    kernel: Float[Array, "*subsets dim classes"]
    bias: Float[Array, "*subsets classes"]
    l2: Float[Array, "*subsets"]


def linear_fit(
    key: PRNGKeyArray,
    features: Float[AnyArray, "n dim"],
    labels: Int[AnyArray, " n"],
    *,
    l2: Sequence[float] = STRENGTHS,
    num_classes: int | None = None,
    unlabelled: Float[AnyArray, "m dim"] | None = None,
) -> LinearClassifier:
    """L2-regularised multinomial logistic regression on standardised features.

        minimise  mean_i CE(z_i W + b, y_i) + l2 / 2 ||W||^2,   z = (features - mean) / std

    The strength is the one with the lowest cross-entropy on examples held out: each fifth in turn when there
    are fewer than 1,000 examples, one fifth otherwise. The classifier is then fitted to all of them.

    Args:
        key: for the folds.
        features: frozen, any scale.
        labels: class numbers from 0.
        l2: strengths to choose among, above 0; one: no choice.
        num_classes: one more than the highest label; found from the labels if None.
        unlabelled: features whose mean and deviation standardise, as those of the whole training set where
            few have labels; the labelled ones' own if None.

    Returns:
        A classifier of the features as they came: the standardisation is folded into kernel and bias.

    Raises:
        ValueError: shapes that don't fit, labels below 0, features that are not finite, no strength above 0.
    """
    labels = require_labels(labels, len(features), "labels")
    require_finite(features, "features")
    classes = count_classes(labels) if num_classes is None else num_classes
    subset, own = np.arange(len(labels))[None], np.asarray(features, np.float32)
    scaling = _standardisation(own if unlabelled is None else unlabelled)
    fitted = _fit_subsets(key, own, labels, subset, l2, classes, scaling)
    return jax.tree.map(lambda x: x[0], fitted)


def linear_predict(
    classifier: LinearClassifier, features: Float[AnyArray, "m dim"]
) -> Int[Array, "*subsets m"]:
    """The class with the highest logit, by each classifier if there are several."""
    x = jnp.asarray(features, jnp.float32)
    logits = jnp.matmul(x, classifier.kernel, precision=jax.lax.Precision.HIGHEST)
    return jnp.argmax(logits + jnp.expand_dims(classifier.bias, -2), axis=-1)


def _fit_subsets(
    key: PRNGKeyArray,
    features: np.ndarray,
    labels: np.ndarray,
    subsets: np.ndarray,
    l2: Sequence[float],
    num_classes: int,
    scaling: tuple[Array, Array],
) -> LinearClassifier:
    """A classifier for each subset, its leading axis."""
    if not l2 or min(l2) <= 0:
        raise ValueError(f"expected L2 strengths above 0, got l2={tuple(l2)}")
    keys = [jax.random.fold_in(key, index) for index in range(len(subsets))]
    folds = np.stack([fold_numbers(k, labels[s], num=FOLDS) for k, s in zip(keys, subsets, strict=True)])
    strengths = np.asarray(l2, np.float32)
    return _fit(features[subsets], labels[subsets], folds, strengths, *scaling, num_classes=num_classes)


@jax.jit
def _standardisation(features: Any) -> tuple[Float[Array, "1 dim"], Float[Array, "1 dim"]]:
    """The mean, and what to multiply the rest by."""
    x = jnp.asarray(features, jnp.float32)
    mean, std = x.mean(0, keepdims=True), x.std(0, keepdims=True)
    # A feature that is constant but for rounding says nothing; dividing by its std would make noise of it.
    return mean, jnp.where(std > 1e-5 * jnp.abs(mean), 1 / jnp.maximum(std, 1e-30), 0.0)


@partial(jax.jit, static_argnames="num_classes")
def _fit(
    features: Float[Array, "subsets n dim"],
    labels: Int[Array, "subsets n"],
    folds: Int[Array, "subsets n"],
    l2: Float[Array, " strengths"],
    mean: Float[Array, "1 dim"],
    scale: Float[Array, "1 dim"],
    *,
    num_classes: int,
) -> LinearClassifier:
    def fit_one(subset: tuple[Array, Array, Array]) -> LinearClassifier:
        x, targets, numbers = subset
        best = _fit_subset((x - mean) * scale, targets, numbers, l2, num_classes)
        kernel = scale.T * best.kernel
        return LinearClassifier(kernel, best.bias - (mean @ kernel)[0], best.l2)

    return jax.lax.map(fit_one, (features, labels, folds))


def _fit_subset(z: Array, labels: Array, folds: Array, l2: Array, num_classes: int) -> LinearClassifier:
    """Every strength on every fold and on all examples in one go; then the best strength's fit to all."""
    n, strengths = len(labels), len(l2)
    held_out = jax.nn.one_hot(folds, FOLDS).T[: 1 if n >= MANY else FOLDS]
    weights = jnp.concatenate([1 - held_out, jnp.ones((1, n))])
    problems = (jnp.repeat(weights, strengths, axis=0), jnp.tile(l2, len(weights)))
    kernels, biases = logistic_regression(z, labels, *problems, num_classes=num_classes)
    best = jnp.argmin(_held_out_loss(z, labels, held_out, kernels[:-strengths], biases[:-strengths]))
    return LinearClassifier(kernels[best - strengths], biases[best - strengths], l2[best])


def _held_out_loss(
    z: Array, labels: Array, held_out: Array, kernels: Array, biases: Array
) -> Float[Array, " strengths"]:
    """The cross-entropy summed over the examples that each fit has not seen."""
    logits = jnp.einsum("nd,pdc->pnc", z, kernels) + biases[:, None, :]
    targets = jnp.broadcast_to(labels, logits.shape[:2])
    loss = ops.cross_entropy(logits, targets).reshape(len(held_out), -1, len(labels))
    return jnp.einsum("fsn,fn->s", loss, held_out)


def linear_probe(
    *,
    labels: Sequence[int | None] = (100, 1000, None),
    num_subsets: int = 5,
    l2: Sequence[float] = STRENGTHS,
    every: int | None = None,
) -> Eval:
    """Evaluation by a linear classifier: "linear/100/accuracy", "linear/all/macro_f1", ... of the test set.

    Features are standardised by the mean and deviation of all training features, which needs no labels.

    Args:
        labels: how many labelled training examples the classifier sees; None: all.
        num_subsets: random class-balanced subsets that each number of labels is averaged over.
        l2: strengths to choose among by `linear_fit`, on the labelled examples only.
        every: steps between runs while training; None: after the run only.
    """

    def run(key: PRNGKeyArray, train: Split, test: Split) -> dict[str, float]:
        require_same_width(train.features, test.features)
        train_labels = require_labels(train.labels, len(train.features), "training labels")
        test_labels = require_labels(test.labels, len(test.features), "test labels")
        require_finite(train.features, "training features")
        require_finite(test.features, "test features")
        classes = count_classes(train_labels, test_labels)
        features = np.asarray(train.features, np.float32)
        scaling = _standardisation(features)
        results: dict[str, float] = {}
        for budget in labels:
            subsets = label_subsets(key, train_labels, budget=budget, num=num_subsets)
            fitted = _fit_subsets(key, features, train_labels, subsets, l2, classes, scaling)
            predictions = linear_predict(fitted, test.features)
            results |= budget_scores("linear", budget, predictions, test_labels, classes)
        return results

    return Eval("linear", run, every)
