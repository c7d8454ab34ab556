import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import losses
from tests.losses.golden import TOLERANCE, cases
from tests.losses.test_contrastive import naive_cosine, views
from tests.ops.across_devices import assert_same_across_devices

LOSSES = {"cosine_regression": losses.cosine_regression, "negative_cosine": losses.negative_cosine}
each_loss = pytest.mark.parametrize("name", LOSSES)


@pytest.mark.parametrize(("batch", "dim"), [(1, 1), (3, 7), (8, 4)])
def test_equals_explicit_loops(batch, dim):
    p, z = views(batch, dim)
    cosine = np.mean([naive_cosine(a, b) for a, b in zip(p, z, strict=True)])
    np.testing.assert_allclose(losses.cosine_regression(p, z), 2 - 2 * cosine, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(losses.negative_cosine(p, z), -cosine, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@each_loss
def test_equals_reference_implementation(name, dtype):
    with jax.enable_x64(dtype == "float64"):
        for case in cases(name, "siamese"):
            p, z = (jnp.asarray(case.arrays[field], dtype) for field in ("p", "z"))
            value, (gradient, into_target) = jax.value_and_grad(LOSSES[name], argnums=(0, 1))(p, z)
            assert value.dtype == dtype
            tolerance = {"rtol": TOLERANCE[dtype], "atol": TOLERANCE[dtype], "err_msg": str(case)}
            np.testing.assert_allclose(value, case.arrays[f"value_{dtype}"], **tolerance)
            np.testing.assert_allclose(gradient, case.arrays[f"gradient_p_{dtype}"], **tolerance)
            assert not np.any(into_target)


def test_closed_forms():
    p = jnp.eye(4)
    for z, regression, cosine in ((3 * p, 0.0, -1.0), (-p, 4.0, 1.0), (p[::-1], 2.0, 0.0)):
        np.testing.assert_allclose(losses.cosine_regression(p, z), regression, atol=1e-6)
        np.testing.assert_allclose(losses.negative_cosine(p, z), cosine, atol=1e-6)


def test_regression_is_precise_near_its_minimum():
    """Where 2 - 2 cos would have lost all digits to rounding."""
    p = jnp.array([[1.0, 1e-5]])
    np.testing.assert_allclose(losses.cosine_regression(p, jnp.array([[1.0, 0.0]])), 1e-10, rtol=1e-3)


@each_loss
def test_bfloat16_is_computed_in_float32(name):
    low = [z.astype(jnp.bfloat16) for z in views()]
    value, gradient = jax.value_and_grad(LOSSES[name])(*low)
    assert value.dtype == jnp.float32
    assert gradient.dtype == jnp.bfloat16
    in_float32 = LOSSES[name](*(z.astype(jnp.float32) for z in low))
    np.testing.assert_allclose(value, in_float32, rtol=1e-6)


@each_loss
@pytest.mark.parametrize("scale", [0.0, 1e-20, 1e10])
def test_finite_for_any_length(name, scale):
    p, z = views()
    value, gradient = jax.value_and_grad(LOSSES[name])(scale * p, z)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


@each_loss
@pytest.mark.parametrize("batch", [8, 16])
def test_same_across_devices(name, batch):
    def loss(weights, a, b, axis_name):
        return LOSSES[name](jnp.tanh(a @ weights), b @ weights, axis_name=axis_name)

    assert_same_across_devices(loss, jax.random.normal(jax.random.key(3), (5, 4)), *views(batch, 5))


@each_loss
@pytest.mark.parametrize("shapes", [((4, 3), (5, 3)), ((4, 3), (4, 2)), ((4,), (4,))])
def test_shapes_must_fit(name, shapes):
    with pytest.raises(ValueError, match="two views of the same shape"):
        inspect.unwrap(LOSSES[name])(*map(jnp.ones, shapes))
