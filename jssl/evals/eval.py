"""What an evaluation is, and what it is given."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Array, Float, Int

AnyArray = Array | np.ndarray

Embed = Callable[[Any], Float[np.ndarray, "n dim"]]
"""All inputs to their features, on the host."""


class Split(NamedTuple):
    """Examples with their features, from the training or the test set.

    inputs: what the encoder takes: images, uint8 or float in [0, 1], or any array with examples along axis 0;
        None where there are too many to be kept.
    features: what the encoder made of them, float32.
    labels: the number of the class of each example, from 0; None where there are no labels.
    views: features of two random views of each example, where the positives' distance is to be measured.
    """

    inputs: Any
    features: Float[AnyArray, "n dim"]
    labels: Int[AnyArray, " n"] | None
    views: Float[AnyArray, "n 2 dim"] | None = None


class Eval(NamedTuple):
    """One measurement, of frozen features as a rule.

    name: what it is called in logs.
    run: `(key, train, test) -> {"knn/accuracy": 0.91, ...}`, of two `Split`s; the same key gives the same
        figures. Two evaluations that are given the same key take the same few-label subsets.
    every: steps between its runs while training; None: after the run only.
    baselines: whether raw inputs and the untrained encoder are measured too.
    own: for an evaluation with data of its own: `(embed) -> (...)`, what `run` is given after the key in
        place of the two splits of the experiment's data. Evaluations with the same `own` share what it gives.
    needs: what `run` is given after the key: "features", which are two splits, or what the method itself says
        of all test examples: "scores", the means of its `score`, or "predictions", those of its `predict`
        and the targets.
    """

    name: str
    run: Callable[..., dict[str, float]]
    every: int | None = None
    baselines: bool = True
    own: Callable[[Embed], tuple[Any, ...]] | None = None
    needs: Literal["features", "scores", "predictions"] = "features"


def require_finite(features: Any, what: str) -> None:
    """Refuse features that hold NaN or infinity, which every measure would turn into a plausible figure."""
    bad = int((~np.isfinite(np.asarray(features))).any(axis=-1).sum())
    if bad:
        raise ValueError(
            f"expected finite {what}, got {bad} of {len(features)} rows with NaN or infinity: training has "
            "diverged or the encoder overflows; try a lower learning rate, a longer warm-up or float32"
        )


def require_inputs(split: Split, what: str) -> Any:
    """The inputs themselves, for an evaluation that needs more than their features."""
    if split.inputs is None:
        raise ValueError(
            f"expected {what}, got features only: the data set is too large to be kept in memory, so leave "
            "this evaluation out, or give it a data.subset"
        )
    return split.inputs


def require_labels(labels: Any, num: int, what: str) -> np.ndarray:
    """The labels as int32 on the host, one for each of `num` examples."""
    if labels is None:
        raise ValueError(
            f"expected {what}, got None: give the examples a 'label', or leave this evaluation out"
        )
    array = np.asarray(labels)
    if array.shape != (num,):
        raise ValueError(f"expected {what} of shape ({num},), one for each example, got {array.shape}")
    if num == 0:
        raise ValueError(f"expected {what} of one example or more, got none")
    if array.min() < 0:
        raise ValueError(f"expected {what} from 0 up, got {array.min()}: leave unlabelled examples out")
    return array.astype(np.int32)


def require_same_width(train_features: Any, test_features: Any) -> None:
    """Refuse features of different encoders."""
    shapes = np.shape(train_features), np.shape(test_features)
    if any(len(shape) != 2 for shape in shapes) or shapes[0][1] != shapes[1][1]:
        raise ValueError(
            f"expected training and test features [n, dim] of the same dim, got {shapes[0]} and {shapes[1]}"
        )


def count_classes(*labels: np.ndarray) -> int:
    """One more than the highest label."""
    return int(max(array.max() for array in labels)) + 1
