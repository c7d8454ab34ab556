"""Barlow Twins, VICReg and LeJEPA: their loss is that of `jssl.losses`, and they say how they collapse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import losses, methods, nn
from jssl.methods.parts import dimensions
from tests import conformance
from tests.methods.test_deepcluster import Rows, lookup

METHODS = {"barlow_twins": methods.barlow_twins, "vicreg": methods.vicreg, "lejepa": methods.lejepa}
each_method = pytest.mark.parametrize("name", METHODS)


def same_twice(key, x):
    return jnp.stack([x, 2 * x])


def identity(name, **options):
    """A method whose embeddings are the rows and their doubles."""
    projector = nn.linear(4, use_bias=False)
    method = METHODS[name](encoder=lookup(), projector=projector, augment=same_twice, **options)
    batch = Rows().batch(np.arange(40, 120))
    params, state = method.init(jax.random.key(0), batch)
    params["projector"]["kernel"] = jnp.eye(4)
    return method, params, state, batch


def step_of(method, params, state, batch):
    value, (_, metrics) = method.loss(params, state, batch, key=jax.random.key(1), step=jnp.asarray(0))
    return value, {name: float(x) for name, x in metrics.items()}


def test_barlow_twins_is_its_loss():
    method, *rest, batch = identity("barlow_twins", redundancy_weight=0.1, scale=0.5)
    z = batch["image"]
    value, metrics = step_of(method, *rest, batch)
    expected = losses.barlow_twins(z, 2 * z, redundancy_weight=0.1)
    np.testing.assert_allclose(value, 0.5 * expected, rtol=1e-5)
    terms = losses.barlow_twins_terms(z, 2 * z)
    np.testing.assert_allclose(metrics["loss/redundancy"], terms.redundancy / 4, rtol=1e-5)


def test_vicreg_is_its_loss():
    weights = {"invariance_weight": 2.0, "variance_weight": 3.0, "covariance_weight": 5.0}
    method, *rest, batch = identity("vicreg", **weights)
    z = batch["image"]
    value, metrics = step_of(method, *rest, batch)
    np.testing.assert_allclose(value, losses.vicreg(z, 2 * z, **weights), rtol=1e-5)
    np.testing.assert_allclose(metrics["loss/invariance"], jnp.mean(z**2), rtol=1e-5)


def test_lejepa_is_its_two_terms():
    method, *rest, batch = identity("lejepa", weight=0.3)
    value, metrics = step_of(method, *rest, batch)
    expected = 0.7 * metrics["loss/invariance"] + 0.3 * metrics["loss/sigreg"]
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    np.testing.assert_allclose(metrics["loss/invariance"], jnp.mean(batch["image"] ** 2) / 4, rtol=1e-5)


@each_method
def test_total_and_dimensional_collapse_are_told_apart(name):
    method, params, state, batch = identity(name)
    _, metrics = step_of(method, params, state, batch)
    assert method.diagnose(metrics) == []
    params["projector"]["kernel"] = jnp.ones((4, 4)) * jnp.asarray([1.0, -1.0, 2.0, 1.0])[None, :]
    _, metrics = step_of(method, params, state, batch)
    assert metrics["collapse/dimensions"] < 1e-3
    assert any("Dimensional collapse" in sentence for sentence in method.diagnose(metrics))
    batch["image"] = jnp.ones_like(batch["image"])
    params["projector"]["kernel"] = jnp.eye(4)
    _, metrics = step_of(method, params, state, batch)
    assert any("nearly alike" in sentence for sentence in method.diagnose(metrics))


def test_vicreg_also_says_that_lengths_have_collapsed():
    """The directions may be spread while the embeddings shrink to a point."""
    method, params, state, batch = identity("vicreg")
    params["projector"]["kernel"] = 1e-4 * jnp.eye(4)
    _, metrics = step_of(method, params, state, batch)
    assert metrics["collapse/std"] > 0.1
    assert "no dimension" in method.diagnose(metrics)[0]


def test_dimensions_are_counted():
    even = jax.random.normal(jax.random.key(0), (512, 64))
    np.testing.assert_allclose(dimensions(even), 1, rtol=0.05)
    np.testing.assert_allclose(dimensions(even[:16]), 1, rtol=0.15)
    np.testing.assert_allclose(dimensions(1e-6 * even[:, :32].repeat(2, axis=1)), 30 / 56, rtol=0.1)
    assert dimensions(even[:, :1] * even[:1]) < 1e-4
    assert dimensions(jnp.ones((8, 3))) == 0


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("barlow_twins", {"redundancy_weight": 0.0}),
        ("barlow_twins", {"scale": -1.0}),
        ("vicreg", {"covariance_weight": -1.0}),
        ("lejepa", {"weight": 0.0}),
        ("lejepa", {"num_projections": 0}),
        ("lejepa", {"num_knots": 1}),
    ],
)
def test_wrong_arguments(name, options):
    with pytest.raises(ValueError, match="expected"):
        identity(name, **options)


@each_method
def test_wrong_views(name):
    method = METHODS[name](encoder=lookup(), projector=nn.linear(4), augment=conformance.noisy)
    with pytest.raises(ValueError, match="views"):
        method.init(jax.random.key(0), Rows().batch(np.arange(8)))
