"""A first-in, first-out queue of rows with static shapes: MoCo's keys, NNCLR's support set, SwAV's features.

A ring buffer: it lives in a method's state, so that it is checkpointed, and under `jit` with donated state a
push writes in place. Inside `jax.pmap` or `jax.shard_map`, push `ops.gather(rows, axis_name)` for one queue
that is the same on all devices, or the device's own rows for one share of the queue on each.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


class Queue(NamedTuple):
    """The last rows pushed, in the order of a ring; the first `size` hold data, the others are 0."""

    rows: Float[Array, "capacity *row"]
    position: Int[Array, ""]
    size: Int[Array, ""]


def queue_init(capacity: int, *row: int, dtype: Any = jnp.float32) -> Queue:
    """An empty queue of `capacity` rows of shape `row`.

    To start from a full one, as MoCo does, push `capacity` random rows.
    """
    if min(capacity, *row) < 1:
        raise ValueError(f"expected a capacity and a row shape of at least 1, got {capacity} and {row}")
    # An array of its own for each field, or the queue could not be donated.
    return Queue(
        rows=jnp.zeros((capacity, *row), dtype),
        position=jnp.zeros((), jnp.int32),
        size=jnp.zeros((), jnp.int32),
    )


def queue_push(queue: Queue, rows: Float[Array, "batch *row"]) -> Queue:
    """Add `rows`; once the queue is full, they take the place of the oldest.

    Raises:
        ValueError: if there are more rows than the queue can hold, or they have another shape.
    """
    (capacity, *row), (num, *new_row) = queue.rows.shape, rows.shape
    if num > capacity or row != new_row:
        raise ValueError(
            f"expected at most {capacity} rows of shape {row}, got {num} of shape {new_row}: "
            "make the queue at least as long as the batch and as wide as its rows"
        )
    places = (queue.position + jnp.arange(num, dtype=jnp.int32)) % capacity
    return Queue(
        rows=queue.rows.at[places].set(rows.astype(queue.rows.dtype), unique_indices=True),
        position=(queue.position + num) % capacity,
        size=jnp.minimum(queue.size + num, capacity),
    )


def queue_valid(queue: Queue) -> Bool[Array, " capacity"]:
    """True for each row that holds data."""
    return jnp.arange(queue.rows.shape[0]) < queue.size
