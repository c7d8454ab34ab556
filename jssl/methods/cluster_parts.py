"""What methods that cluster the data set do at a refresh, on the host: sweep over it, measure, judge.

A sweep reads and computes whole batches: over all devices of the mesh, each process its share of the rows.
"""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import NamedSharding, PartitionSpec, Sharding
from jaxtyping import Array, Bool, Float, Int

from jssl import ops
from jssl.core import Batch, Tree

BATCH = 512
"""Examples that are embedded at once."""


def sweep(
    function: Callable[[Batch, Array], dict[str, Array]], dataset: Any, names: Sequence[str], *, beside: Tree
) -> dict[str, np.ndarray]:
    """What the function gives for all examples, in their order, on the host.

    Args:
        function: jitted, `(batch, number of the batch) -> {name: [batch, ...]}`.
        dataset: `len(dataset)` and `dataset[i] -> {name: array}`; read in batches if it has `__getitems__`.
        names: of the arrays that are read, those the examples have.
        beside: the batches are spread over the devices that these arrays lie on. The last one is filled up
            with copies of the last example, which are dropped again.
    """
    sharding, total = _sharding(beside), len(dataset)
    size = _round_up(min(BATCH, total), len(sharding.device_set))
    parts: list[dict[str, np.ndarray]] = []
    pending = None
    for number, start in enumerate(range(0, total, size)):
        rows = np.minimum(np.arange(start, start + size), total - 1)
        own = rows.reshape(jax.process_count(), -1)[jax.process_index()]
        examples = _read(dataset, own)
        batch = {
            name: jax.make_array_from_process_local_data(sharding, examples[name])
            for name in names
            if name in examples
        }
        computing = function(batch, jnp.asarray(number))
        # The outputs of a batch are fetched while the next one is computed.
        if pending is not None:
            parts.append(fetch(pending))
        pending = computing
    parts.append(fetch(pending))
    return {name: np.concatenate([part[name] for part in parts])[:total] for name in parts[0]}


def spread_rows(
    x: Float[np.ndarray, "n dim"], *, beside: Tree
) -> tuple[Float[Array, "padded dim"], Bool[Array, " padded"]]:
    """The rows over all devices, filled up with zeros to an equal share for each, and which rows count."""
    sharding = _sharding(beside)
    padding = -len(x) % len(sharding.device_set)
    padded = np.pad(x, ((0, padding), (0, 0)))
    where = np.arange(len(padded)) < len(x)
    return _place(padded, sharding), _place(where, sharding)


def fetch(tree: Tree) -> Any:
    """Whole arrays on the host, also those of which this process holds a share."""

    def whole(x: Array) -> np.ndarray:
        if x.is_fully_addressable or x.is_fully_replicated:
            return np.asarray(x)
        return np.asarray(multihost_utils.process_allgather(x, tiled=True))

    return jax.tree.map(whole, tree)


def check_index(batch: Batch) -> Int[Array, " batch"]:
    """The number of each example in the data set, by which its pseudo-label is found."""
    if "index" not in batch:
        raise ValueError(
            f"expected a batch with 'index', the number of each example, got {sorted(batch)}: wrap the "
            "training source in data.indexed"
        )
    return batch["index"]


def check_dataset(dataset: Any, num_examples: int) -> None:
    """A data set of the size that the state was made for, indexed from 0."""
    last = dataset[len(dataset) - 1].get("index")
    if len(dataset) != num_examples or last is None or int(last) != num_examples - 1:
        raise ValueError(
            f"expected {num_examples} examples with an 'index' from 0, got {len(dataset)}, the last one with "
            f"index {last}: pass num_examples=len(source), and data.indexed(source) as the training source"
        )


@functools.lru_cache(maxsize=2)
def labels_of(dataset: Any) -> Int[np.ndarray, " n"] | None:
    """The classes of all examples, for comparison; read once in a process. None if they have none."""
    if "label" not in dataset[0]:
        return None
    parts = [_read(dataset, np.arange(*span))["label"] for span in _spans(len(dataset))]
    return np.concatenate(parts).astype(np.int32)


def cluster_metrics(
    assignments: Int[np.ndarray, "heads n"],
    previous: Int[np.ndarray, "heads n"],
    labels: Int[np.ndarray, " n"] | None,
    counts: Sequence[np.ndarray],
) -> dict[str, float]:
    """What a refresh reports of its clusters; of several heads, the mean agreement and the worst of the rest.

    "refresh/nmi_labels": normalised mutual information with the classes, where there are any.
    "refresh/nmi_previous": with the clusters before, from the second refresh on.
    "refresh/empty": clusters without examples.
    "refresh/largest_share": the share of all examples that the largest cluster holds.
    """
    metrics = {
        "refresh/empty": float(max(np.sum(own == 0) for own in counts)),
        "refresh/largest_share": float(max(own.max() / own.sum() for own in counts)),
    }
    if labels is not None:
        metrics["refresh/nmi_labels"] = _mean_nmi(assignments, [labels] * len(assignments))
    if previous.min() >= 0:
        metrics["refresh/nmi_previous"] = _mean_nmi(assignments, previous)
    return metrics


def judge_clusters(metrics: Mapping[str, float], num_clusters: int, advice: str) -> list[str]:
    """Sentences about examples without clusters, clusters without examples, and one that holds most."""
    if metrics.get("clusters/assigned", 1.0) == 0.0:
        return [
            "Nothing is learned: no example has a pseudo-label, so set `refresh_every` of the experiment."
        ]
    share, empty = metrics.get("refresh/largest_share", 0.0), metrics.get("refresh/empty", 0.0)
    if share > 0.5 and num_clusters > 2:
        return [f"Trivial clusters: one of {num_clusters} holds {share:.0%} of all examples, so {advice}."]
    if empty > num_clusters / 2:
        return [f"Trivial clusters: {empty:.0f} of {num_clusters} are empty, so {advice}."]
    return []


def _mean_nmi(assignments: Any, others: Any) -> float:
    pairs = zip(assignments, others, strict=True)
    found = [ops.normalized_mutual_information(jnp.asarray(a), jnp.asarray(b)) for a, b in pairs]
    return float(np.mean([float(nmi) for nmi in found]))


def _read(dataset: Any, rows: np.ndarray) -> dict[str, np.ndarray]:
    together = getattr(dataset, "__getitems__", None)
    examples = together(rows.tolist()) if together else [dataset[row] for row in rows.tolist()]
    if isinstance(examples, dict):
        return examples
    return {name: np.stack([np.asarray(example[name]) for example in examples]) for name in examples[0]}


def _spans(total: int) -> Iterator[tuple[int, int]]:
    return ((start, min(start + BATCH, total)) for start in range(0, total, BATCH))


def _sharding(tree: Tree) -> Sharding:
    """Rows over all devices of the mesh that the arrays lie on, or on their one device."""
    sharding = jax.tree.leaves(tree)[0].sharding
    if isinstance(sharding, NamedSharding):
        return NamedSharding(sharding.mesh, PartitionSpec(sharding.mesh.axis_names))
    return sharding


def _place(x: np.ndarray, sharding: Sharding) -> Array:
    return jax.make_array_from_callback(x.shape, sharding, lambda share: x[share])


def _round_up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple
