"""What an experiment is made of."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import optax

from jssl.core import Method
from jssl.data import DataSet
from jssl.evals import Eval


def knn_or_loss(metrics: dict[str, float]) -> float:
    """The accuracy of kNN where it is measured on the way, else the loss, turned round."""
    return metrics.get("eval/knn/accuracy", -metrics.get("loss", float("inf")))


@dataclass(frozen=True)
class Experiment:
    """All that a run is made of.

    Attributes:
        name: also the default run folder's.
        data: training examples and, for the evaluations on them, test examples.
        method: the pretext task.
        optimizer: any optax transformation.
        steps: the training's length.
        batch_size: examples in the global batch.
        seed: of everything random: parameters, order of the data, transforms, evaluations.
        evals: what is measured, while training or after it.
        inputs: the name of the array that is embedded to be measured: "tokens" of text.
        pad: the token that rows of text are filled up with, which the baseline of word counts leaves out.
        tokenizer: of text, a `data.text.Tokenizer`: what shows texts decodes by it; it is saved with the run.
        refresh_every: steps between two calls of the method's `refresh`.
        log_every: steps between two rows of metrics.
        save_every: steps between two checkpoints.
        keep: how many of the newest checkpoints stay.
        score: the checkpoint whose latest metrics score highest stays too.
        fusion: see `jssl.platform.step_options`.
    """

    name: str
    data: DataSet
    method: Method
    optimizer: optax.GradientTransformation
    steps: int
    batch_size: int
    seed: int = 0
    evals: tuple[Eval, ...] = ()
    inputs: str = "image"
    pad: int | None = None
    tokenizer: Any = None
    refresh_every: int | None = None
    log_every: int = 10
    save_every: int = 200
    keep: int = 2
    score: Callable[[dict[str, float]], float] = knn_or_loss
    fusion: tuple[str, ...] = ("DOT", "REDUCE")

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "log_every", "save_every", "keep"):
            if getattr(self, name) < 1:
                raise ValueError(f"An experiment's {name} is at least 1, got {getattr(self, name)}.")
        if self.evals and self.inputs not in self.data.train[0]:
            raise ValueError(
                f'The evaluations embed "{self.inputs}", but the examples have {sorted(self.data.train[0])}: '
                "name the array that is embedded by inputs=..."
            )


class Keys(NamedTuple):
    """What a run's randomness is folded from: state and steps, evaluations, refreshes, sampled text."""

    train: jax.Array
    evaluation: jax.Array
    refresh: jax.Array
    sample: jax.Array


def keys_of(seed: int) -> Keys:
    """A run's keys, made from its seed alone."""
    train, evaluation = jax.random.split(jax.random.key(seed))
    refresh, sample = (jax.random.fold_in(jax.random.key(seed), number) for number in (1, 2))
    return Keys(train, evaluation, refresh, sample)
