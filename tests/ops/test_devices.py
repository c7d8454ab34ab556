import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import ops
from tests.ops.across_devices import AXIS, assert_same_across_devices, mesh


def normal(*shape, seed=0):
    return jax.random.normal(jax.random.key(seed), shape)


def test_gather_keeps_the_order_of_the_global_batch():
    x = normal(16, 3)
    by_pmap = jax.pmap(lambda x: ops.gather(x, AXIS), axis_name=AXIS)(x.reshape(8, 2, 3))
    for on_device in by_pmap:
        np.testing.assert_array_equal(on_device, x)
    np.testing.assert_array_equal(ops.gather(x, None), x)


def test_global_rows_are_the_places_in_the_gathered_array():
    rows = jax.pmap(lambda x: ops.gather(x, AXIS)[ops.global_rows(2, AXIS)], axis_name=AXIS)(normal(8, 2, 3))
    np.testing.assert_array_equal(rows, normal(8, 2, 3))
    np.testing.assert_array_equal(ops.global_rows(4, None), np.arange(4))


def test_gather_has_the_gradients_of_the_global_batch():
    def loss(weights, x, axis_name):
        y = jnp.tanh(x @ weights)
        return ops.mean(y @ ops.gather(y, axis_name).T ** 2, axis_name=axis_name)

    assert_same_across_devices(loss, normal(3, 4), normal(16, 3, seed=1))


def test_gradient_of_a_shard_is_exact_under_shard_map_and_n_times_under_pmap():
    def loss(x, axis_name):
        return ops.mean(jnp.sin(ops.gather(x, axis_name) @ x.T), axis_name=axis_name)

    x, split = normal(16, 3), jax.sharding.PartitionSpec(AXIS)
    inside = jax.grad(lambda x: loss(x, AXIS))
    expected = jax.grad(lambda x: loss(x, None))(x)
    by_shard_map = jax.jit(jax.shard_map(inside, mesh=mesh(), in_specs=split, out_specs=split))(x)
    by_pmap = jax.pmap(inside, axis_name=AXIS)(x.reshape(8, 2, 3)).reshape(16, 3)
    np.testing.assert_allclose(by_shard_map, expected, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(by_pmap, 8 * expected, rtol=1e-4, atol=1e-6)


def test_masked_mean_across_devices_of_unequal_masks():
    def loss(weights, x, mask, axis_name):
        return ops.masked_mean(jnp.sin(x @ weights), mask, axis_name=axis_name)

    mask = jnp.arange(16) % 5 < 2
    assert_same_across_devices(loss, normal(3), normal(16, 3, seed=1), mask)


@pytest.mark.parametrize("dtype", [bool, jnp.float32, jnp.int32])
def test_masked_mean(dtype):
    x = jnp.array([[1.0, jnp.nan], [3.0, 8.0]])
    mask = jnp.array([[1, 0], [1, 0]], dtype)
    value, gradient = jax.value_and_grad(ops.masked_mean)(x, mask)
    assert value == 2.0
    np.testing.assert_array_equal(gradient, [[0.5, 0], [0.5, 0]])


def test_masked_mean_of_nothing_is_0():
    value, gradient = jax.value_and_grad(ops.masked_mean)(normal(3), jnp.zeros(3, bool))
    assert value == 0
    assert (gradient == 0).all()
