"""Few labels: class-balanced random subsets of the training examples, and folds of them."""

import jax
import numpy as np
from jaxtyping import Int, PRNGKeyArray

from jssl.evals.eval import AnyArray, count_classes, require_labels
from jssl.evals.metrics import accuracy, macro_f1


def label_subsets(
    key: PRNGKeyArray, labels: Int[AnyArray, " n"], *, budget: int | None, num: int = 1
) -> Int[np.ndarray, "num size"]:
    """Random class-balanced subsets: which examples one may look at the labels of.

    Each class gives as many examples as any other, or all it has. The subset number i depends on the key, the
    budget and i only, so that every evaluation with the same key is given the same labels.

    Args:
        key: random key.
        labels: class numbers from 0.
        budget: examples in a subset; None: all, in one subset.
        num: how many subsets.

    Returns:
        Indices into `labels`, in increasing order in each subset.

    Raises:
        ValueError: a budget above the number of examples or below the number of classes.
    """
    labels = require_labels(labels, len(labels), "labels")
    if budget is None or budget == len(labels):
        return np.arange(len(labels))[None]
    classes = len(np.unique(labels))
    if not classes <= budget <= len(labels):
        raise ValueError(
            f"expected a label budget from {classes} (one for each class) to the {len(labels)} training "
            f"examples, got {budget}: choose another budget or give more examples"
        )
    keys = [jax.random.fold_in(jax.random.fold_in(key, budget), i) for i in range(num)]
    return np.stack([np.sort(_balanced_order(k, labels)[:budget]) for k in keys])


def fold_numbers(key: PRNGKeyArray, labels: Int[AnyArray, " n"], *, num: int) -> Int[np.ndarray, " n"]:
    """The fold of each example, from 0 to num - 1, with about the same share of each class in each fold."""
    labels = require_labels(labels, len(labels), "labels")
    order = np.asarray(jax.random.permutation(key, len(labels)))
    by_class = order[np.argsort(labels[order], kind="stable")]
    folds = np.empty(len(labels), np.int32)
    folds[by_class] = np.arange(len(labels)) % num
    return folds


def budget_scores(
    name: str,
    budget: int | None,
    predictions: Int[AnyArray, "subsets m"],
    labels: Int[AnyArray, " m"],
    num_classes: int,
) -> dict[str, float]:
    """Accuracy and macro F1 of the test set, averaged over subsets: "name/100/accuracy", ..."""
    place = f"{name}/{'all' if budget is None else budget}"
    return {
        f"{place}/accuracy": float(np.mean([accuracy(p, labels) for p in predictions])),
        f"{place}/macro_f1": float(
            np.mean([macro_f1(p, labels, num_classes=num_classes) for p in predictions])
        ),
    }


def _balanced_order(key: PRNGKeyArray, labels: np.ndarray) -> np.ndarray:
    """All examples in random order, such that every beginning is as balanced as can be."""
    order = np.asarray(jax.random.permutation(key, len(labels)))
    turn = np.empty(len(labels), np.int64)
    for label in range(count_classes(labels)):
        members = order[labels[order] == label]
        turn[members] = np.arange(len(members))
    return order[np.argsort(turn[order], kind="stable")]
