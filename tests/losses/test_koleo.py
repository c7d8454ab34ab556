import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import losses
from tests.losses.golden import TOLERANCE, cases
from tests.ops.across_devices import assert_same_across_devices


def normal(*shape, seed=0):
    return jax.random.normal(jax.random.key(seed), shape)


def naive_koleo(z):
    z = np.asarray(z, np.float64)
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    nearest = [min(np.linalg.norm(a - b) for j, b in enumerate(z) if j != i) for i, a in enumerate(z)]
    return -np.mean(np.log(nearest))


@pytest.mark.parametrize("shape", [(2, 3), (7, 2), (12, 8)])
def test_equals_explicit_loops(shape):
    np.testing.assert_allclose(losses.koleo(normal(*shape)), naive_koleo(normal(*shape)), rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_equals_reference_implementation(dtype):
    with jax.enable_x64(dtype == "float64"):
        for case in cases("koleo", "distillation"):
            value, gradient = jax.jit(jax.value_and_grad(losses.koleo))(jnp.asarray(case.arrays["z"], dtype))
            tolerance = {"rtol": 3 * TOLERANCE[dtype], "atol": TOLERANCE[dtype], "err_msg": str(case)}
            np.testing.assert_allclose(value, case.arrays[f"value_{dtype}"], **tolerance)
            np.testing.assert_allclose(gradient, case.arrays[f"gradient_z_{dtype}"], **tolerance)


def test_corners_of_a_square():
    square = jnp.array([[1.0, 0.0], [0.0, 2.0], [-3.0, 0.0], [0.0, -1.0]])
    np.testing.assert_allclose(losses.koleo(square), -np.log(np.sqrt(2)), rtol=1e-6)


def test_invariant_to_order_and_length():
    z = normal(8, 4)
    np.testing.assert_allclose(losses.koleo(3 * z[::-1]), losses.koleo(z), rtol=1e-5)


def test_equal_embeddings_are_finite():
    value, gradient = jax.value_and_grad(losses.koleo)(jnp.ones((4, 3)))
    assert value > 10
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


def test_same_across_devices():
    def loss(weights, x, axis_name):
        return losses.koleo(x @ weights, axis_name=axis_name)

    assert_same_across_devices(loss, normal(5, 4), normal(16, 5, seed=1), atol=1e-5)


def test_bfloat16_is_computed_in_float32():
    z = normal(6, 4).astype(jnp.bfloat16)
    assert losses.koleo(z).dtype == jnp.float32
    np.testing.assert_allclose(losses.koleo(z), losses.koleo(z.astype(jnp.float32)), rtol=1e-6)


def test_wrong_shapes():
    with pytest.raises(ValueError, match="one view"):
        inspect.unwrap(losses.koleo)(jnp.ones((4, 2, 3)))
    with pytest.raises(ValueError, match="no neighbour"):
        losses.koleo(jnp.ones((1, 3)))
