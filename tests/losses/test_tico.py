import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import losses
from tests.losses.golden import TOLERANCE, cases
from tests.ops.across_devices import assert_same_across_devices

DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


def normal(*shape, seed=0):
    return jax.random.normal(jax.random.key(seed), shape)


def unit(z):
    z = np.asarray(z, np.float64)
    return z / np.linalg.norm(z, axis=1, keepdims=True)


def naive_covariance(covariance, z, decay):
    moments = np.zeros(covariance.shape)
    for row in unit(z):
        for i, x in enumerate(row):
            for j, y in enumerate(row):
                moments[i, j] += x * y / len(z)
    return decay * np.asarray(covariance, np.float64) + (1 - decay) * moments


def naive_tico(z_a, z_b, covariance, weight):
    total = 0.0
    for a, b in zip(unit(z_a), unit(z_b), strict=True):
        along = sum(a[i] * covariance[i, j] * a[j] for i in range(len(a)) for j in range(len(a)))
        total += (1 - np.dot(a, b) + weight * along) / len(z_a)
    return total


@pytest.mark.parametrize("shape", [(1, 3), (9, 4), (4, 9)])
def test_equals_explicit_loops(shape):
    z_a, z_b, earlier = normal(*shape), normal(*shape, seed=1), normal(*shape, seed=2)
    expected = naive_covariance(np.zeros((shape[1], shape[1])), earlier, 0.7)
    covariance = losses.tico_covariance(jnp.zeros((shape[1], shape[1])), earlier, decay=0.7)
    np.testing.assert_allclose(covariance, expected, rtol=1e-5, atol=1e-7)
    covariance, expected = losses.tico_covariance(covariance, z_a), naive_covariance(expected, z_a, 0.9)
    np.testing.assert_allclose(covariance, expected, rtol=1e-5, atol=1e-7)
    value = losses.tico(z_a, z_b, covariance, covariance_weight=3.0)
    np.testing.assert_allclose(value, naive_tico(z_a, z_b, expected, 3.0), rtol=1e-5)


@DTYPES
def test_equals_reference_implementation(dtype):
    def loss(z_a, z_b, earlier, decay, weight):
        covariance = jnp.zeros((z_a.shape[1], z_a.shape[1]), dtype)
        for z in (earlier, z_a):
            covariance = losses.tico_covariance(covariance, z, decay=decay)
        return losses.tico(z_a, z_b, covariance, covariance_weight=weight), covariance

    with jax.enable_x64(dtype == "float64"):
        for case, stored in zip(cases("tico", "tico"), cases("tico_covariance", "tico"), strict=True):
            inputs = [jnp.asarray(case.arrays[name], dtype) for name in ("z_a", "z_b", "earlier")]
            options = [float(case.arguments[name]) for name in ("decay", "covariance_weight")]
            function = jax.jit(jax.value_and_grad(loss, has_aux=True), static_argnums=(3, 4))
            (value, covariance), gradient = function(*inputs, *options)
            assert value.dtype == dtype
            tolerance = {"rtol": 3 * TOLERANCE[dtype], "err_msg": str(case)}
            np.testing.assert_allclose(value, case.arrays[f"value_{dtype}"], **tolerance)
            tolerance["atol"] = TOLERANCE[dtype]
            np.testing.assert_allclose(covariance, stored.arrays[f"value_{dtype}"], **tolerance)
            np.testing.assert_allclose(gradient, case.arrays[f"gradient_z_a_{dtype}"], **tolerance)


def test_one_direction_for_all_has_the_closed_form():
    """The views agree, and the second term is the trace of C, `1 - beta^t`."""
    z, covariance = jnp.ones((6, 4)), jnp.zeros((4, 4))
    for step in range(3):
        covariance = losses.tico_covariance(covariance, z, decay=0.5)
        np.testing.assert_allclose(jnp.trace(covariance), 1 - 0.5 ** (step + 1), rtol=1e-6)
    np.testing.assert_allclose(losses.tico(z, z, covariance), 8 * (1 - 0.5**3), rtol=1e-6)


def test_an_even_cloud_has_the_closed_form():
    z = jnp.concatenate([jnp.eye(5), -jnp.eye(5)])
    covariance = losses.tico_covariance(jnp.zeros((5, 5)), z, decay=0.0)
    np.testing.assert_allclose(losses.tico(z, z, covariance), 8 / 5, rtol=1e-6)
    np.testing.assert_allclose(losses.tico(z, -z, covariance), 2 + 8 / 5, rtol=1e-6)


def test_invariant_to_order_and_to_lengths():
    z_a, z_b = normal(8, 5), normal(8, 5, seed=1)
    covariance = losses.tico_covariance(jnp.zeros((5, 5)), z_a)
    order, lengths = jax.random.permutation(jax.random.key(2), 8), jnp.arange(1.0, 9.0)[:, None]
    np.testing.assert_allclose(
        losses.tico(lengths * z_a[order], z_b[order], covariance),
        losses.tico(z_a, z_b, covariance),
        rtol=1e-5,
    )
    np.testing.assert_allclose(
        losses.tico_covariance(jnp.zeros((5, 5)), lengths * z_a[order]), covariance, rtol=1e-5, atol=1e-7
    )


def test_no_gradient_into_the_target_or_the_covariance():
    z_a, z_b = normal(8, 5), normal(8, 5, seed=1)

    def loss(z_b, covariance, earlier):
        covariance = losses.tico_covariance(covariance, earlier)
        return losses.tico(z_a, z_b, covariance)

    for gradient in jax.grad(loss, argnums=(0, 1, 2))(z_b, jnp.eye(5), z_a):
        assert (gradient == 0).all()


def test_same_across_devices():
    def loss(weights, x_a, x_b, axis_name):
        z_a, z_b = jnp.tanh(x_a @ weights), jnp.tanh(x_b @ weights)
        covariance = losses.tico_covariance(jnp.eye(4), z_a, axis_name=axis_name)
        return losses.tico(z_a, z_b, covariance, axis_name=axis_name)

    assert_same_across_devices(loss, normal(5, 4), normal(16, 5, seed=1), normal(16, 5, seed=2))


def test_bfloat16_is_computed_in_float32():
    z_a, z_b = (normal(8, 5, seed=seed).astype(jnp.bfloat16) for seed in (0, 1))
    covariance = losses.tico_covariance(jnp.zeros((5, 5)), z_a)
    assert covariance.dtype == jnp.float32
    value, gradient = jax.value_and_grad(losses.tico)(z_a, z_b, covariance)
    assert value.dtype == jnp.float32
    assert gradient.dtype == jnp.bfloat16
    wide = losses.tico(z_a.astype(jnp.float32), z_b.astype(jnp.float32), covariance)
    np.testing.assert_allclose(value, wide, rtol=1e-6)


@pytest.mark.parametrize("scale", [0.0, 1e-20, 1e4])
def test_finite_for_any_length(scale):
    z = scale * normal(8, 5)
    value, gradient = jax.value_and_grad(losses.tico)(z, z, losses.tico_covariance(jnp.zeros((5, 5)), z))
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


def test_arrays_must_fit():
    z = jnp.ones((4, 3))
    with pytest.raises(ValueError, match="two views of the same shape"):
        inspect.unwrap(losses.tico_terms)(z, jnp.ones((4, 2)), jnp.eye(3))
    with pytest.raises(ValueError, match="covariance"):
        inspect.unwrap(losses.tico_terms)(z, z, jnp.eye(4))
    with pytest.raises(ValueError, match="covariance"):
        inspect.unwrap(losses.tico_covariance)(jnp.eye(4), z)
