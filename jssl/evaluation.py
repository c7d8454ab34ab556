"""Measures what a method has learned, beside raw inputs, the untrained encoder and training from scratch."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from rich.console import Console
from rich.table import Table

from jssl.core import Method, TrainState, Tree
from jssl.data import DataSet, Example, Source, as_arrays, in_order, subset
from jssl.evals import Bag, Embed, Eval, Split, bag_of_words, embed_all, fit_bag, knn_predict
from jssl.pictures import PICTURED

RAW, BAG, UNTRAINED, SCRATCH, TRAINED = "raw pixels", "bag of words", "untrained", "from scratch", "trained"
"""The columns, in their order. Of rows of tokens the words are counted, of anything else pixels are taken."""

LIMIT = 2**32
"""Bytes: examples that take more, decoded, are read anew for each look, and only their features are kept."""

BATCH = 512
"""Examples that are embedded at once."""

WORDS = 4096
"""So many of the most frequent tokens are counted for the bag of words."""

WEIGHED = 2**16
"""From so many training examples the tokens' frequencies are taken."""

TILE = 96
"""Pixels: larger images are stored for the page's map at a lower resolution."""


class Part:
    """The training or the test examples.

    Attributes:
        source: the examples.
        inputs: the name of the array that is embedded.
        arrays: all of them, decoded once; None where they would take more than `LIMIT`.
    """

    def __init__(self, source: Source, inputs: str = "image") -> None:
        size = len(source) * sum(np.asarray(x).nbytes for x in source[0].values())
        self.source = source
        self.inputs = inputs
        self.arrays = as_arrays(source) if size <= LIMIT else None

    def chunks(self) -> Iterator[Example]:
        """All examples in their order."""
        return in_order(self.source) if self.arrays is None else iter((self.arrays,))

    def first(self, count: int) -> np.ndarray:
        """The first inputs."""
        few = range(min(count, len(self.source)))
        arrays = as_arrays(subset(self.source, few)) if self.arrays is None else self.arrays
        return arrays[self.inputs][:count]


class Examples(NamedTuple):
    """The examples that the evaluations see."""

    train: Part
    test: Part

    @property
    def in_memory(self) -> bool:
        """Whether the inputs themselves are kept."""
        return all(part.arrays is not None for part in self)

    def affords(self, column: str) -> bool:
        """Whether the features of this column fit into memory: those of raw inputs are larger than these."""
        if column not in (RAW, BAG):
            return True
        counted = max(len(part.source) for part in self) * WORDS * np.float32().nbytes
        return self.in_memory and (column == RAW or counted <= LIMIT)


class Look:
    """What the evaluations see of one way to embed: each data set's features are made once, when asked for.

    Args:
        embed: inputs to features.
        examples: the experiment's own.
        views: two random views of each of the first test examples, to measure their alignment.
        answers: what the method itself says of the test examples, by what evaluations need; None: raw inputs
            say nothing.
        seen: what was made of the data before, by an equal `embed`; what is made now is added.
    """

    def __init__(
        self,
        embed: Embed,
        examples: Callable[[], Examples],
        *,
        answers: Mapping[str, Callable[[], tuple[Any, ...]]] | None = None,
        views: np.ndarray | None = None,
        seen: dict[Any, tuple[Any, ...]] | None = None,
    ) -> None:
        self.examples = examples
        self._embed = embed
        self._views = views
        self._answers = answers
        self._seen = {} if seen is None else seen

    def of(self, evaluation: Eval) -> tuple[Any, ...]:
        """What an evaluation is given after the key."""
        if evaluation.needs == "features":
            return self._features(evaluation.own)
        assert self._answers is not None, "asked of an encoder only"
        return self._answers[evaluation.needs]()

    def serves(self, evaluation: Eval, column: str) -> bool:
        """Whether there is what the evaluation needs, in memory that it may take."""
        if evaluation.needs != "features":
            return self._answers is not None
        return evaluation.own is not None or self.examples().affords(column)

    def splits(self) -> tuple[Any, ...]:
        """The experiment's own training and test examples."""
        return self._features(None)

    def _features(self, own: Callable[[Embed], tuple[Any, ...]] | None) -> tuple[Any, ...]:
        if own not in self._seen:
            self._seen[own] = self._splits() if own is None else own(self._embed)
        return self._seen[own]

    def _splits(self) -> tuple[Split, Split]:
        train, test = (split(part, self._embed) for part in self.examples())
        if self._views is not None:
            test = test._replace(views=np.stack([self._embed(self._views[:, i]) for i in (0, 1)], axis=1))
        return train, test


class Comparison(NamedTuple):
    """Every evaluation on every way to embed: `rows[measure][column]`."""

    columns: list[str]
    rows: dict[str, dict[str, float]]

    def trained(self) -> dict[str, float]:
        """The column of the trained encoder."""
        return {name: values[TRAINED] for name, values in self.rows.items() if TRAINED in values}


def needs_examples(evals: Iterable[Eval]) -> bool:
    """Whether any of the evaluations is on features of the experiment's own data."""
    return any(evaluation.own is None and evaluation.needs == "features" for evaluation in evals)


def load_examples(data: DataSet, inputs: str = "image") -> Examples:
    """Decode the training and the test examples once, where they fit into memory.

    Raises:
        ValueError: there is no test set.
    """
    if data.test is None:
        raise ValueError(
            "The evaluations need test examples: give the DataSet a test source, or no evals but "
            "those with data of their own (evals.on, evals.sts)."
        )
    return Examples(Part(data.train, inputs), Part(data.test, inputs))


def make_embed(
    method: Method, *, spread: jax.sharding.NamedSharding, whole: jax.sharding.NamedSharding
) -> Callable[..., np.ndarray]:
    """A function `(params, state, inputs, batch_size=...) -> features`, compiled once for all states.

    Args:
        method: whose `embed` it is.
        spread: the placement of a batch, a share on each device.
        whole: the placement of the features, all on each device.
    """
    jitted = jax.jit(method.embed, out_shardings=whole)
    devices = spread.mesh.size

    def embed(params: Tree, state: Tree, inputs: np.ndarray, *, batch_size: int = BATCH) -> np.ndarray:
        def embed_batch(x: np.ndarray) -> jax.Array:
            shares = jax.make_array_from_callback(x.shape, spread, lambda share: x[share])
            return jitted(params, state, shares)

        return embed_all(embed_batch, inputs, batch_size=-(-batch_size // devices) * devices)

    return embed


def bind(embed: Callable[..., np.ndarray], state: TrainState) -> Callable[..., np.ndarray]:
    """The embedding function of one train state, `(inputs, batch_size=...) -> features`."""
    return partial(embed, state.params, state.method_state)


def raw(inputs: np.ndarray) -> np.ndarray:
    """The inputs themselves as features, in [0, 1]."""
    flat = inputs.reshape(len(inputs), -1).astype(np.float32)
    return flat / 255 if inputs.dtype == np.uint8 else flat


def raw_column(train: Source, inputs: str, pad: int | None) -> tuple[str, Embed]:
    """The baseline that needs no encoder: what it is called, and how it makes features of inputs.

    Args:
        train: the training examples; how rare a token is, is found from them.
        inputs: the name of the array.
        pad: the token that is not counted, if there is one.
    """
    example = np.asarray(train[0][inputs])
    # Bytes in two dimensions are a picture, other whole numbers a pair of rows.
    kind = np.integer if example.ndim == 1 else np.signedinteger
    if example.ndim > 2 or not np.issubdtype(example.dtype, kind):
        return RAW, raw

    @cache
    def bag() -> Bag:
        rows = as_arrays(train, WEIGHED)[inputs].reshape(-1, example.shape[-1])
        return fit_bag(rows, ignore=() if pad is None else (pad,), most=WORDS)

    return BAG, lambda rows: bag_of_words(bag(), rows)


def split(part: Part, embed: Embed) -> Split:
    """Examples with their features, and their labels where they have any."""
    looks = [(embed(chunk[part.inputs]), chunk.get("label")) for chunk in part.chunks()]
    features = np.concatenate([look for look, _ in looks])
    labels = [label for _, label in looks if label is not None]
    return Split(
        None if part.arrays is None else part.arrays[part.inputs],
        features,
        np.concatenate(labels) if labels else None,
    )


def measure(evals: Iterable[Eval], key: jax.Array, of: Callable[[Eval], tuple[Any, ...]]) -> dict[str, float]:
    """Run evaluations, each with the same key: they take the same few-label subsets.

    Args:
        evals: what to measure.
        key: of their random choices.
        of: what an evaluation is given after the key, as `Look.of`.
    """
    row: dict[str, float] = {}
    for evaluation in evals:
        row |= evaluation.run(jax.random.clone(key), *of(evaluation))
    return {name: float(value) for name, value in row.items()}


def compare(
    experiment_evals: Sequence[Eval], key: jax.Array, looks: Iterable[tuple[str, Look]]
) -> Comparison:
    """Run every evaluation on every way to embed.

    Args:
        experiment_evals: what to measure.
        key: of the evaluations' random choices.
        looks: by column. On raw inputs, what would not fit into memory is left out.
    """
    rows: dict[str, dict[str, float]] = {}
    for column, look in looks:
        chosen = [
            evaluation
            for evaluation in experiment_evals
            if (evaluation.baselines or column == TRAINED) and look.serves(evaluation, column)
        ]
        for name, value in measure(chosen, key, look.of).items():
            row, place = _place(name, column)
            rows.setdefault(row, {})[place] = value
    filled = {column for values in rows.values() for column in values}
    return Comparison([x for x in (RAW, BAG, UNTRAINED, SCRATCH, TRAINED) if x in filled], rows)


def _place(measure: str, column: str) -> tuple[str, str]:
    """Training from scratch stands in its own column, beside the probe on as many labels."""
    parts = measure.split("/")
    if "supervised" not in parts:
        return measure, column
    return "/".join("linear" if part == "supervised" else part for part in parts), SCRATCH


def first_split(source: Source, inputs: str, embed: Embed) -> Split:
    """The first examples with their features, as many as the page draws."""
    return split(Part(subset(source, range(min(PICTURED, len(source)))), inputs), embed)


def write_arrays(folder: Path, train: Split | None, test: Split, inputs: np.ndarray) -> None:
    """The file that the page draws features from: `embeddings.npz`.

    Args:
        folder: the run's.
        train: what the test examples' classes are predicted from; None: they aren't.
        test: the test examples, or the first of them.
        inputs: the first `PICTURED` of the test set.
    """
    arrays = {"features": test.features[:PICTURED], "inputs": _as_tiles(inputs)}
    if test.labels is not None:
        arrays["labels"] = np.asarray(test.labels)[:PICTURED]
    if train is not None and train.labels is not None and test.labels is not None:
        nearest = min(20, len(train.features))
        predictions = knn_predict(train.features, train.labels, test.features[:PICTURED], k=nearest)
        arrays["predictions"] = np.asarray(predictions)
    np.savez_compressed(folder / "embeddings.npz", **arrays)  # type: ignore[arg-type]


def _as_tiles(inputs: np.ndarray) -> np.ndarray:
    """Large images [n, height, width, channels] with every second, third, ... pixel only."""
    if inputs.ndim != 4:
        return inputs
    every = -(-max(inputs.shape[1:3]) // TILE)
    return inputs[:, ::every, ::every]


def print_results(results: dict[str, Any]) -> None:
    """The table and the warnings on the terminal."""
    if not results["rows"]:
        return
    table = Table(title="Evaluation on the test set", title_justify="left")
    table.add_column("measure")
    for column in results["columns"]:
        table.add_column(column, justify="right", style="bold" if column == TRAINED else "")
    for row, values in results["rows"].items():
        table.add_row(row, *(_cell(row, values.get(column)) for column in results["columns"]))
    Console().print(table)
    for warning in results["warnings"]:
        print(f"warning: {warning}")


def _cell(row: str, value: float | None) -> str:
    if value is None:
        return ""
    return f"{100 * value:.1f} %" if row.endswith(("accuracy", "f1")) else f"{value:.3f}"
