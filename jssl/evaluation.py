"""Measures a method on labelled data, beside raw pixels, the untrained encoder and training from scratch."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from rich.console import Console
from rich.table import Table

from jssl import platform
from jssl.core import Method, TrainState, Tree
from jssl.data import DataSet, Example, Source, as_arrays, in_order, subset
from jssl.evals import Eval, Split, embed_all, knn_predict

RAW, UNTRAINED, TRAINED, SCRATCH = "raw pixels", "untrained", "trained", "from scratch"

LIMIT = 2**32
"""Bytes: examples that take more, decoded, are read anew for each look, and only their features are kept."""

BATCH = 512
"""Examples that are embedded at once."""

PICTURED = 2048
"""How many test examples the page's map, neighbours and clusters are drawn from."""

DRAWN = 2**25
"""Bytes: of so many of these the method's pictures are drawn."""

VIEWED = 512
"""Of how many of them the views are kept in memory, to measure their alignment."""

SHOWN = 12
"""How many rows of each kind of picture the page shows."""

TILE = 96
"""Pixels: larger images are stored for the page's map at a lower resolution."""

Embed = Callable[[np.ndarray], np.ndarray]


class Part:
    """The training or the test examples.

    Attributes:
        source: the examples.
        arrays: all of them, decoded once; None where they would take more than `LIMIT`.
    """

    def __init__(self, source: Source) -> None:
        size = len(source) * sum(np.asarray(x).nbytes for x in source[0].values())
        self.source = source
        self.arrays = as_arrays(source) if size <= LIMIT else None

    def chunks(self) -> Iterator[Example]:
        """All examples in their order."""
        return in_order(self.source) if self.arrays is None else iter((self.arrays,))

    def first(self, count: int) -> np.ndarray:
        """The first images."""
        few = range(min(count, len(self.source)))
        arrays = as_arrays(subset(self.source, few)) if self.arrays is None else self.arrays
        return arrays["image"][:count]


class Examples(NamedTuple):
    """The examples that the evaluations see."""

    train: Part
    test: Part

    @property
    def in_memory(self) -> bool:
        """Whether the inputs themselves are kept."""
        return all(part.arrays is not None for part in self)


class Comparison(NamedTuple):
    """Every evaluation on every way to embed: `rows[measure][column]`, and the trained encoder's features."""

    columns: list[str]
    rows: dict[str, dict[str, float]]
    train: Split
    test: Split

    def trained(self) -> dict[str, float]:
        """The column of the trained encoder."""
        return {name: values[TRAINED] for name, values in self.rows.items() if TRAINED in values}


def load_examples(data: DataSet) -> Examples:
    """Decode the training and the test examples once, where they fit into memory.

    Raises:
        ValueError: there is no test set.
    """
    if data.test is None:
        raise ValueError("The evaluations need test examples: give the DataSet a test source, or no evals.")
    return Examples(Part(data.train), Part(data.test))


def make_embed(
    method: Method, *, spread: jax.sharding.NamedSharding, whole: jax.sharding.NamedSharding
) -> Callable[[Tree, Tree, np.ndarray], np.ndarray]:
    """A function `(params, state, inputs) -> features`, compiled once for all states that it is given.

    Args:
        method: whose `embed` it is.
        spread: the placement of a batch, a share on each device.
        whole: the placement of the features, all on each device.
    """
    jitted = jax.jit(method.embed, out_shardings=whole)
    devices = spread.mesh.size
    batch_size = -(-BATCH // devices) * devices

    def embed(params: Tree, state: Tree, inputs: np.ndarray) -> np.ndarray:
        def embed_batch(x: np.ndarray) -> jax.Array:
            shares = jax.make_array_from_callback(x.shape, spread, lambda share: x[share])
            return jitted(params, state, shares)

        return embed_all(embed_batch, inputs, batch_size=batch_size)

    return embed


def bind(embed: Callable[[Tree, Tree, np.ndarray], np.ndarray], state: TrainState) -> Embed:
    """The embedding function of one train state."""
    return lambda inputs: embed(state.params, state.method_state, inputs)


def raw(inputs: np.ndarray) -> np.ndarray:
    """The inputs themselves as features, in [0, 1]."""
    flat = inputs.reshape(len(inputs), -1).astype(np.float32)
    return flat / 255 if inputs.dtype == np.uint8 else flat


def split(part: Part, embed: Embed) -> Split:
    """Examples with their features.

    Raises:
        ValueError: they have no labels.
    """
    if "label" not in part.source[0]:
        raise ValueError(f"The evaluations need a 'label' in each example, got {sorted(part.source[0])}.")
    looks = [(embed(chunk["image"]), chunk["label"]) for chunk in part.chunks()]
    features, labels = (np.concatenate(column) for column in zip(*looks, strict=True))
    return Split(None if part.arrays is None else part.arrays["image"], features, labels)


def measure(evals: Iterable[Eval], key: jax.Array, train: Split, test: Split) -> dict[str, float]:
    """Run evaluations on the same features, each with the same key: they take the same few-label subsets."""
    row: dict[str, float] = {}
    for evaluation in evals:
        row |= evaluation.run(jax.random.clone(key), train, test)
    return {name: float(value) for name, value in row.items()}


def compare(
    experiment_evals: Sequence[Eval],
    key: jax.Array,
    examples: Examples,
    embeds: dict[str, Embed],
    views: np.ndarray | None = None,
) -> Comparison:
    """Run every evaluation on every way to embed.

    Args:
        experiment_evals: what to measure.
        key: of the evaluations' random choices.
        examples: what is embedded; without the inputs in memory, raw pixels are left out.
        embeds: by column; the trained encoder's comes last.
        views: two random views of each test example, for the trained encoder's alignment.
    """
    rows: dict[str, dict[str, float]] = {}
    for column, embed in embeds.items():
        if column == RAW and not examples.in_memory:
            continue
        train, test = (split(part, embed) for part in examples)
        if column == TRAINED and views is not None:
            test = test._replace(views=np.stack([embed(views[:, 0]), embed(views[:, 1])], axis=1))
        chosen = [e for e in experiment_evals if e.baselines or column == TRAINED]
        for name, value in measure(chosen, key, train, test).items():
            # Training from scratch stands in its own column, beside the probe on as many labels.
            place = SCRATCH if name.startswith("supervised/") else column
            rows.setdefault(name.replace("supervised/", "linear/"), {})[place] = value
    filled = {column for values in rows.values() for column in values}
    columns = [column for column in (RAW, UNTRAINED, SCRATCH, TRAINED) if column in filled]
    return Comparison(columns, rows, train, test)


def draw_pictures(
    method: Method, state: TrainState, key: jax.Array, inputs: np.ndarray
) -> dict[str, np.ndarray]:
    """What the method shows of its pretext task: pictures of the first inputs, scores of more of them."""
    if method.show is None:
        return {}
    jitted = jax.jit(method.show, compiler_options=platform.once_options(jax.default_backend()))
    inputs = inputs[: max(SHOWN, DRAWN // inputs[0].nbytes)]
    size = min(256, len(inputs))
    parts: dict[str, list[np.ndarray]] = {}
    for number, start in enumerate(range(0, len(inputs), size)):
        images = inputs[start : start + size]
        # Full batches only, so that it is compiled once.
        full = np.resize(images, (size, *images.shape[1:]))
        drawn = jitted(state.params, state.method_state, {"image": full}, key=jax.random.fold_in(key, number))
        for name, values in drawn.items():
            if values.ndim == 2 or start < VIEWED:
                parts.setdefault(name, []).append(np.asarray(values)[: len(images)])
    return {name: np.concatenate(values) for name, values in parts.items()}


def write_arrays(
    folder: Path, train: Split, test: Split, inputs: np.ndarray, pictures: dict[str, np.ndarray]
) -> None:
    """The files that the page draws features and pictures from: `embeddings.npz`, `pictures.npz`.

    Args:
        inputs: the first `PICTURED` of the test set.
    """
    assert train.labels is not None, "split() refuses examples without labels"
    predictions = knn_predict(train.features, train.labels, test.features[:PICTURED])
    np.savez_compressed(
        folder / "embeddings.npz",
        features=test.features[:PICTURED],
        labels=np.asarray(test.labels)[:PICTURED],
        inputs=_as_tiles(inputs),
        predictions=np.asarray(predictions),
    )
    shown = {name: values if values.ndim == 2 else values[:SHOWN] for name, values in pictures.items()}
    np.savez_compressed(folder / "pictures.npz", **shown)  # type: ignore[arg-type]


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
