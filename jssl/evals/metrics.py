"""Accuracy, confusion matrix and macro F1 of predicted classes."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jssl.evals.eval import AnyArray


def accuracy(predictions: Int[AnyArray, " n"], labels: Int[AnyArray, " n"]) -> Float[Array, ""]:
    """The share of examples whose class was predicted, in [0, 1]."""
    return jnp.mean(jnp.asarray(predictions) == jnp.asarray(labels), dtype=jnp.float32)


def confusion_matrix(
    predictions: Int[AnyArray, " n"], labels: Int[AnyArray, " n"], *, num_classes: int | None = None
) -> Int[Array, "classes classes"]:
    """How often each class (row) was predicted as each class (column).

    Args:
        predictions: class numbers from 0.
        labels: class numbers from 0.
        num_classes: one more than the highest number; needed under `jax.jit`, else found from the arrays.
    """
    predictions, labels = jnp.asarray(predictions), jnp.asarray(labels)
    if num_classes is None:
        num_classes = int(max(predictions.max(), labels.max())) + 1
    return jnp.zeros((num_classes, num_classes), jnp.int32).at[labels, predictions].add(1)


def macro_f1(
    predictions: Int[AnyArray, " n"], labels: Int[AnyArray, " n"], *, num_classes: int | None = None
) -> Float[Array, ""]:
    """The mean over classes of F1, so that rare classes count as much as frequent ones.

        F1_c = 2 TP_c / (2 TP_c + FP_c + FN_c)

    Args:
        predictions: class numbers from 0.
        labels: class numbers from 0.
        num_classes: see `confusion_matrix`.

    Returns:
        The mean over the classes that occur in the labels or the predictions, in [0, 1]; a class that occurs
        in neither is left out, as in scikit-learn.
    """
    counts = confusion_matrix(predictions, labels, num_classes=num_classes)
    hits, either = jnp.diagonal(counts), counts.sum(0) + counts.sum(1)
    return jnp.sum(2 * hits / jnp.maximum(either, 1)) / jnp.sum(either > 0)
