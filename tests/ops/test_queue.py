import inspect
from collections import deque

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import ops
from tests.ops.across_devices import AXIS
from tests.traces import traces


@pytest.mark.parametrize(("capacity", "batch"), [(6, 2), (7, 3), (5, 5), (4, 1)])
def test_holds_the_last_rows_pushed(capacity, batch):
    queue, reference = ops.queue_init(capacity, 2), deque(maxlen=capacity)
    push = jax.jit(ops.queue_push, donate_argnums=0)
    for step in range(8):
        rows = np.arange(batch * 2, dtype=np.float32).reshape(batch, 2) + 100 * step
        queue = push(queue, jnp.asarray(rows))
        reference.extend(map(tuple, rows.tolist()))
        valid = np.asarray(queue.rows)[np.asarray(ops.queue_valid(queue))]
        assert queue.size == len(reference) == len(valid)
        assert set(map(tuple, valid.tolist())) == set(reference)
        assert tuple(queue.rows[(queue.position - 1) % capacity].tolist()) == reference[-1]


def test_starts_empty():
    queue = ops.queue_init(4, 2, 3, dtype=jnp.bfloat16)
    assert queue.rows.shape == (4, 2, 3)
    assert queue.rows.dtype == jnp.bfloat16
    assert not ops.queue_valid(queue).any()


def test_push_compiles_once():
    def push(queue, rows):
        return ops.queue_push(queue, rows)

    jitted, queue = jax.jit(push), ops.queue_init(5, 2)
    with traces() as traced:
        for _ in range(4):
            queue = jitted(queue, jnp.ones((2, 2)))
    assert traced["push"] == 1


def test_pushing_gathered_rows_keeps_one_queue_on_all_devices():
    rows = jax.random.normal(jax.random.key(0), (8, 2, 3))
    queues = jax.pmap(
        lambda queue, rows: ops.queue_push(queue, ops.gather(rows, AXIS)), axis_name=AXIS, in_axes=(None, 0)
    )(ops.queue_init(20, 3), rows)
    expected = ops.queue_push(ops.queue_init(20, 3), rows.reshape(16, 3))
    for copies, leaf in zip(queues, expected, strict=True):
        np.testing.assert_array_equal(copies, np.broadcast_to(leaf, copies.shape))


def test_rows_must_fit():
    push = inspect.unwrap(ops.queue_push)
    for rows in (jnp.ones((5, 2)), jnp.ones((1, 3)), jnp.ones((2, 2, 1))):
        with pytest.raises(ValueError, match="make the queue at least as long"):
            push(ops.queue_init(4, 2), rows)


@pytest.mark.parametrize("shape", [(0, 2), (4, 0)])
def test_needs_a_capacity_and_a_width(shape):
    with pytest.raises(ValueError, match="at least 1"):
        ops.queue_init(*shape)
