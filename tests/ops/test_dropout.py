import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import ops, train


def kept(seed, shape=(64, 128, 32), rate=0.1):
    y = jax.jit(lambda key, x: ops.dropout(key, x, rate))(jax.random.key(seed), jnp.ones(shape))
    return np.asarray(y) != 0


def test_keeps_the_share_and_the_mean():
    x = jnp.ones((64, 128, 32))
    y = np.asarray(ops.dropout(jax.random.key(0), x, 0.1))
    error = np.sqrt(0.1 * 0.9 / y.size)
    assert abs((y == 0).mean() - 0.1) < 4 * error
    np.testing.assert_allclose(y[y != 0], 1 / 0.9, rtol=1e-6)


def test_places_and_keys_are_independent():
    """Correlations of neighbours along each axis, and of the same place under several keys, are noise."""
    coins = np.stack([kept(seed) for seed in range(4)]) - 0.9
    noise = 5 / np.sqrt(coins[0].size) * 0.09
    for axis in (1, 2, 3):
        for distance in (1, 2, 16):
            shifted = np.roll(coins, distance, axis)
            assert abs((coins * shifted).mean()) < noise
    for other in (1, 2, 3):
        assert abs((coins[0] * coins[other]).mean()) < noise
    rows = coins.reshape(4, -1, 32).sum((0, 2))
    np.testing.assert_allclose(rows.std(), np.sqrt(4 * 32 * 0.09), rtol=0.05)


def test_gradient_is_that_of_the_kept():
    x = jax.random.normal(jax.random.key(1), (5, 7))
    key = jax.random.key(2)
    y, gradient = jax.value_and_grad(lambda x: ops.dropout(jax.random.clone(key), x, 0.4).sum())(x)
    mask = np.asarray(ops.dropout(jax.random.clone(key), jnp.ones_like(x), 0.4))
    np.testing.assert_allclose(gradient, mask, rtol=1e-6)
    np.testing.assert_allclose(y, (np.asarray(x) * mask).sum(), rtol=1e-5)


def test_devices_do_not_change_it():
    x = jnp.ones((16, 8, 4))
    mesh = train.device_mesh(jax.devices())
    drop = jax.jit(lambda key, x: ops.dropout(key, x, 0.5))
    spread = drop(jax.random.key(3), jax.device_put(x, train.batch_sharding(mesh)))
    np.testing.assert_array_equal(spread, drop(jax.random.key(3), x))


def test_dtype_and_bounds():
    x = jnp.ones((4, 4), jnp.bfloat16)
    assert ops.dropout(jax.random.key(0), x, 0.3).dtype == jnp.bfloat16
    assert ops.dropout(jax.random.key(0), x, 0.0) is x
    with pytest.raises(ValueError, match="rate in"):
        ops.dropout(jax.random.key(0), x, 1.0)
