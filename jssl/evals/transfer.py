"""Evaluations on other data than what is pretrained on."""

from collections.abc import Callable
from functools import cache
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import PRNGKeyArray

from jssl.evals.eval import Embed, Eval, Split


@runtime_checkable
class TrainAndTest(Protocol):
    """Two sources of examples, as a `data.DataSet`: each has a length and gives {name: array} by index."""

    @property
    def train(self) -> Any: ...

    @property
    def test(self) -> Any: ...


def on(name: str, data_set: TrainAndTest, *evaluations: Eval, inputs: str = "image") -> tuple[Eval, ...]:
    """The evaluations on a data set of their own: "NAME/knn/accuracy", "NAME/linear/100/accuracy", ...

    The encoder is frozen and sees the data set's inputs as they are, once for all of these evaluations. They
    are run with and beside those on the experiment's own data: `evals=(*evals.on("sst2", ...), ...)`.

    Args:
        name: of the data set, for the results.
        data_set: training and test examples. They are decoded when first measured, and kept in memory.
        evaluations: such as `knn()` and `linear_probe()`.
        inputs: the name of the array that is embedded; "label" is the class where there are classes.

    Raises:
        ValueError: there are no test examples, or an evaluation that has data of its own already.
    """
    if data_set.test is None:
        raise ValueError(f'expected training and test examples of "{name}", got no test examples')
    if bound := [evaluation.name for evaluation in evaluations if evaluation.own is not None]:
        raise ValueError(f"expected evaluations without data of their own, got {', '.join(bound)}")

    @cache
    def examples() -> list[tuple[np.ndarray, np.ndarray | None]]:
        return [_arrays(source, inputs) for source in (data_set.train, data_set.test)]

    def splits(embed: Embed) -> tuple[Split, ...]:
        return tuple(Split(x, embed(x), labels) for x, labels in examples())

    return tuple(
        evaluation._replace(name=f"{name}/{evaluation.name}", run=_under(name, evaluation.run), own=splits)
        for evaluation in evaluations
    )


def _arrays(source: Any, inputs: str) -> tuple[np.ndarray, np.ndarray | None]:
    """All inputs, and the labels where there are any."""
    examples = [source[index] for index in range(len(source))]
    if inputs not in examples[0]:
        raise ValueError(
            f'expected examples with "{inputs}", got {sorted(examples[0])}: name the array that is embedded '
            "by inputs=..."
        )
    labels = [example["label"] for example in examples] if "label" in examples[0] else None
    return np.stack([example[inputs] for example in examples]), None if labels is None else np.stack(labels)


def _under(name: str, run: Callable[..., dict[str, float]]) -> Callable[..., dict[str, float]]:
    """With the data set before the measures' names."""

    def named(key: PRNGKeyArray, train: Split, test: Split) -> dict[str, float]:
        return {f"{name}/{measure}": value for measure, value in run(key, train, test).items()}

    return named
