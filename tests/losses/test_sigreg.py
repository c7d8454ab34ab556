import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate

from jssl import losses
from tests.losses.golden import TOLERANCE, cases
from tests.ops.across_devices import assert_same_across_devices


def normal(*shape, seed=0):
    return jax.random.normal(jax.random.key(seed), shape)


def naive_epps_pulley(x, knots=17, highest=3.0):
    """By complex numbers, over both signs of the frequency."""
    x, t = np.float64(x), np.linspace(-highest, highest, 2 * knots - 1)
    characteristic = np.array([np.mean([np.exp(1j * frequency * value) for value in x]) for frequency in t])
    error = np.abs(characteristic - np.exp(-(t**2) / 2)) ** 2 * np.exp(-(t**2) / 2)
    return len(x) * np.trapezoid(error, t)


@pytest.mark.parametrize(("knots", "highest"), [(17, 3.0), (2, 1.0), (9, 5.0)])
def test_equals_complex_loops(knots, highest):
    x = 2 * normal(30, 3) + 0.5
    found = losses.epps_pulley(x, num_knots=knots, max_frequency=highest)
    expected = [naive_epps_pulley(column, knots, highest) for column in x.T]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_equals_reference_implementation(dtype, monkeypatch):
    """With the directions of the golden values, which lightly draws by itself."""
    with jax.enable_x64(dtype == "float64"):
        for case in cases("lejepa", "redundancy"):
            directions = jnp.asarray(case.arrays["directions"], dtype)
            monkeypatch.setattr(jax.random, "normal", lambda key, shape, drawn=directions: drawn)
            options = {
                "num_global": int(case.arguments["num_global"]),
                "weight": float(case.arguments["weight"]),
                "num_projections": directions.shape[1],
            }

            def loss(z, options=options):
                return losses.lejepa(z, key=jax.random.key(0), **options)

            value, gradient = jax.jit(jax.value_and_grad(loss))(jnp.asarray(case.arrays["z"], dtype))
            assert value.dtype == dtype
            tolerance = {"rtol": 3 * TOLERANCE[dtype], "err_msg": str(case)}
            np.testing.assert_allclose(value, case.arrays[f"value_{dtype}"], **tolerance)
            expected = case.arrays[f"gradient_z_{dtype}"]
            scale = np.abs(expected).max()
            np.testing.assert_allclose(gradient, expected, atol=3 * TOLERANCE[dtype] * scale, **tolerance)


def test_the_same_number_everywhere_has_the_closed_form():
    """|exp(0) - exp(-t^2 / 2)|^2, integrated by another rule."""
    expected, _ = integrate.quad(lambda t: (1 - np.exp(-(t**2) / 2)) ** 2 * np.exp(-(t**2) / 2), -3, 3)
    found = losses.epps_pulley(jnp.zeros(50), num_knots=100)
    np.testing.assert_allclose(found, 50 * expected, rtol=1e-3)


def test_gaussian_samples_have_the_expected_statistic():
    """N E|phi_N - phi|^2 = 1 - exp(-t^2), whatever N."""
    expected, _ = integrate.quad(lambda t: (1 - np.exp(-(t**2))) * np.exp(-(t**2) / 2), -3, 3)
    found = losses.epps_pulley(normal(500, 800)).mean()
    np.testing.assert_allclose(found, expected, rtol=0.05)
    found = losses.sigreg(normal(500, 16, seed=2), key=jax.random.key(1))
    np.testing.assert_allclose(found, expected, rtol=0.3)


@pytest.mark.parametrize(
    "change", [lambda z: 0 * z, lambda z: 3 * z, lambda z: z + 2, lambda z: z[:, :1] * jnp.ones((1, 8))]
)
def test_rises_for_what_is_no_isotropic_gaussian(change):
    z = normal(200, 8)
    changed, even = (losses.sigreg(x, key=jax.random.key(1), num_projections=64) for x in (change(z), z))
    assert changed > 5 * even


def test_views_are_tested_by_themselves():
    z = normal(20, 3, 5)
    options = {"num_projections": 16}
    each = [losses.sigreg(z[:, v], key=jax.random.key(4), **options) for v in range(3)]
    np.testing.assert_allclose(losses.sigreg(z, key=jax.random.key(4), **options), np.mean(each), rtol=1e-5)


def test_directions_come_from_the_key():
    z = 3 * normal(20, 5)
    first, again, other = (
        losses.sigreg(z, key=jax.random.key(seed), num_projections=4) for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other


def test_invariance_is_the_distance_to_the_centre_of_the_global_views():
    z = np.float64(normal(6, 4, 3))
    terms = [(z[n, v] - z[n, :2].mean(axis=0)) ** 2 for n in range(6) for v in range(4)]
    found = losses.view_invariance(jnp.asarray(z, jnp.float32), num_global=2)
    np.testing.assert_allclose(found, np.mean(terms), rtol=1e-5)
    assert losses.view_invariance(jnp.ones((6, 4, 3))) == 0


@pytest.mark.parametrize("shape", [(16, 5), (16, 3, 5)])
def test_same_across_devices(shape):
    def loss(weights, x, axis_name):
        z = x @ weights
        options = {"key": jax.random.key(7), "num_projections": 8, "axis_name": axis_name}
        return losses.sigreg(z, **options) if z.ndim == 2 else losses.lejepa(z, **options)

    assert_same_across_devices(loss, 2 * normal(5, 4), normal(*shape, seed=1), atol=1e-5)


def test_bfloat16_is_computed_in_float32():
    z = normal(16, 2, 5).astype(jnp.bfloat16)
    value, gradient = jax.value_and_grad(losses.lejepa)(z, key=jax.random.key(0))
    assert (value.dtype, gradient.dtype) == (jnp.float32, jnp.bfloat16)
    wide = losses.lejepa(z.astype(jnp.float32), key=jax.random.key(0))
    np.testing.assert_allclose(value, wide, rtol=1e-6)


@pytest.mark.parametrize("scale", [0.0, 1e-20, 1e4])
def test_finite_for_any_length(scale):
    value, gradient = jax.value_and_grad(losses.sigreg)(scale * normal(8, 5), key=jax.random.key(0))
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize(
    "options",
    [{"weight": -0.1}, {"weight": 1.5}, {"num_global": 0}, {"num_global": 3}, {"num_projections": 0}],
)
def test_wrong_arguments(options):
    with pytest.raises(ValueError, match="expected"):
        inspect.unwrap(losses.lejepa)(normal(4, 2, 3), key=jax.random.key(0), **options)


@pytest.mark.parametrize("options", [{"num_knots": 1}, {"max_frequency": 0.0}])
def test_wrong_frequencies(options):
    with pytest.raises(ValueError, match="expected 2 knots"):
        losses.epps_pulley(normal(4), **options)
