import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import losses
from tests.losses.golden import TOLERANCE, cases
from tests.ops.across_devices import assert_same_across_devices

LOSSES = {"barlow_twins": losses.barlow_twins, "vicreg": losses.vicreg}
each_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())


def views(batch=8, dim=5, seed=0, scale=0.4):
    keys = jax.random.split(jax.random.key(seed))
    z_a, noise = (jax.random.normal(key, (batch, dim)) for key in keys)
    return scale * z_a, scale * (z_a + 0.5 * noise)


@functools.cache
def compiled(name, **options):
    return jax.jit(jax.value_and_grad(functools.partial(LOSSES[name], **options), argnums=(0, 1)))


def naive_barlow_twins(z_a, z_b, weight=5e-3):
    a, b = ((z - z.mean(0)) / np.sqrt(z.var(0) + 1e-5) for z in (np.float64(z_a), np.float64(z_b)))
    (n, dim), total = a.shape, 0.0
    for i in range(dim):
        for j in range(dim):
            c = sum(a[k, i] * b[k, j] for k in range(n)) / n
            total += (1 - c) ** 2 if i == j else weight * c**2
    return total


def naive_vicreg(z_a, z_b):
    z_a, z_b = np.float64(z_a), np.float64(z_b)
    dim, total = z_a.shape[1], 25 * ((z_a - z_b) ** 2).mean()
    for z in (z_a, z_b):
        c = np.cov(z, rowvar=False).reshape(dim, dim)
        total += 25 / 2 * np.mean([max(0.0, 1 - np.sqrt(c[j, j] + 1e-4)) for j in range(dim)])
        total += sum(c[i, j] ** 2 for i in range(dim) for j in range(dim) if i != j) / dim
    return total


@each_loss
@pytest.mark.parametrize("shape", [(2, 1), (9, 4), (4, 9)])
def test_equals_explicit_loops(loss, shape):
    naive = {"barlow_twins": naive_barlow_twins, "vicreg": naive_vicreg}[loss.__name__]
    np.testing.assert_allclose(loss(*views(*shape)), naive(*views(*shape)), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", LOSSES)
def test_equals_reference_implementations(name, dtype):
    with jax.enable_x64(dtype == "float64"):
        for case in cases(name, "redundancy"):
            options = {key: float(x) for key, x in case.arguments.items() if key.endswith("weight")}
            z = [jnp.asarray(case.arrays[view], dtype) for view in ("z_a", "z_b")]
            value, gradients = compiled(name, **options)(*z)
            assert value.dtype == dtype
            tolerance = {"rtol": 3 * TOLERANCE[dtype], "err_msg": str(case)}
            np.testing.assert_allclose(value, case.arrays[f"value_{dtype}"], **tolerance)
            for view, gradient in zip(("z_a", "z_b"), gradients, strict=True):
                expected = case.arrays[f"gradient_{view}_{dtype}"]
                scale = np.abs(expected).max()
                np.testing.assert_allclose(gradient, expected, atol=3 * TOLERANCE[dtype] * scale, **tolerance)


def test_views_that_agree_and_share_nothing_between_dimensions_have_no_loss():
    hadamard = np.array([[1.0]])
    for _ in range(3):
        hadamard = np.block([[hadamard, hadamard], [hadamard, -hadamard]])
    z = jnp.asarray(2 * hadamard[:, 1:], jnp.float32)
    np.testing.assert_allclose(losses.barlow_twins(z, z), 0, atol=1e-5)
    np.testing.assert_allclose(losses.vicreg(z, z), 0, atol=1e-5)


def test_constant_embeddings_have_the_closed_form():
    z = jnp.ones((6, 4))
    np.testing.assert_allclose(losses.barlow_twins(z, z), 4.0, rtol=1e-6)
    np.testing.assert_allclose(losses.vicreg(z, z), 25 * (1 - 0.01), rtol=1e-6)


def test_repeated_dimensions_have_the_closed_form():
    """All correlations are 1, so every pair of dimensions counts."""
    z = jnp.tile(views(dim=1)[0], (1, 4)) * 10
    np.testing.assert_allclose(losses.barlow_twins(z, z, redundancy_weight=0.1), 0.1 * 12, rtol=1e-4)
    variance = float(jnp.var(z[:, 0], ddof=1))
    expected = 2 * 3 * variance**2
    np.testing.assert_allclose(losses.vicreg_terms(z, z).covariance, expected, rtol=1e-4)


@each_loss
def test_invariant_to_order_and_to_a_shift(loss):
    z_a, z_b = views()
    order, dims = jax.random.permutation(jax.random.key(1), 8), jax.random.permutation(jax.random.key(2), 5)
    expected = loss(z_a, z_b)
    np.testing.assert_allclose(loss(z_a[order][:, dims], z_b[order][:, dims]), expected, rtol=1e-5)
    np.testing.assert_allclose(loss(z_a + 1, z_b + 1), expected, rtol=1e-4)
    np.testing.assert_allclose(loss(z_b, z_a), expected, rtol=1e-5)


def test_weights_weigh_their_terms():
    z = views()
    terms = losses.vicreg_terms(*z)
    value = losses.vicreg(*z, invariance_weight=2.0, variance_weight=3.0, covariance_weight=5.0)
    np.testing.assert_allclose(value, np.dot([2, 3, 5], terms), rtol=1e-6)
    terms = losses.barlow_twins_terms(*z)
    value = losses.barlow_twins(*z, redundancy_weight=0.5)
    np.testing.assert_allclose(value, np.dot([1, 0.5], terms), rtol=1e-6)


@each_loss
def test_same_across_devices(loss):
    def loss_of_projection(weights, x_a, x_b, axis_name):
        return loss(jnp.tanh(x_a @ weights), jnp.tanh(x_b @ weights), axis_name=axis_name)

    weights = jax.random.normal(jax.random.key(9), (5, 4))
    assert_same_across_devices(loss_of_projection, weights, *views(16), atol=1e-5)


@each_loss
def test_bfloat16_is_computed_in_float32(loss):
    low = [z.astype(jnp.bfloat16) for z in views()]
    value, gradient = jax.value_and_grad(loss)(*low)
    assert value.dtype == jnp.float32
    assert gradient.dtype == jnp.bfloat16
    np.testing.assert_allclose(value, loss(*(z.astype(jnp.float32) for z in low)), rtol=1e-6)


@each_loss
@pytest.mark.parametrize("scale", [0.0, 1e-20, 1e4])
def test_finite_for_any_length(loss, scale):
    value, gradient = jax.value_and_grad(loss)(*views(scale=scale))
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("loss", [losses.barlow_twins_terms, losses.vicreg_terms])
def test_views_must_fit(loss):
    with pytest.raises(ValueError, match="two views of the same shape"):
        inspect.unwrap(loss)(jnp.ones((4, 3)), jnp.ones((4, 2)))


def test_one_example_has_no_variance():
    with pytest.raises(ValueError, match="at least 2 examples"):
        losses.vicreg(jnp.ones((1, 3)), jnp.ones((1, 3)))
