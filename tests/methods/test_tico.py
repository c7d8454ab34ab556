import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import methods, ops
from tests.methods import vectors
from tests.methods.test_moco import perturbed, seen
from tests.methods.vectors import begin, evaluate, forward, unit


def tico(**options):
    defaults = {
        "encoder": vectors.ENCODER,
        "projector": vectors.PROJECTOR,
        "augment": vectors.two_views,
        "inputs": "x",
    }
    return methods.tico(**{**defaults, **options})


def test_loss_by_hand():
    method = tico(covariance_weight=3.0, covariance_decay=0.7)
    params, state = begin(method)
    assert not np.any(state.covariance)
    before = np.diag(np.arange(5.0, dtype=np.float32))
    state = perturbed(state)._replace(covariance=jnp.asarray(before))
    (value, (after, metrics)), _ = evaluate(method, params, state)
    view_a, view_b = seen()
    z_a = unit(forward(params, state.stats, view_a, "encoder", "projector"))
    z_b = unit(forward(state.target.params, state.target.stats, view_b, "encoder", "projector"))
    covariance = 0.7 * before + 0.3 * z_a.T @ z_a / 12
    invariance = 1 - np.mean(np.sum(z_a * z_b, axis=1))
    contrast = np.mean(np.sum(z_a @ covariance * z_a, axis=1))
    np.testing.assert_allclose(after.covariance, covariance, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(metrics["loss/invariance"], invariance, rtol=1e-4)
    np.testing.assert_allclose(metrics["loss/covariance"], contrast, rtol=1e-4)
    np.testing.assert_allclose(value, invariance + 3 * contrast, rtol=1e-4)
    np.testing.assert_allclose(metrics["collapse/std"], np.sqrt(5) * z_a.std(axis=0).mean(), rtol=1e-4)
    jax.tree.map(np.testing.assert_array_equal, after.target.params, state.target.params)
    for part in (lambda s: s.stats, lambda s: s.target.stats):
        old, new = (part(s)["encoder"]["batch_stats"] for s in (state, after))
        assert jax.tree.all(jax.tree.map(lambda a, b: np.any(a != b), old, new))


def test_the_target_follows_by_the_decay_of_the_step():
    method = tico(decay=ops.cosine(0.5, 1.0, 10))
    params, state = begin(method)
    moved = jax.tree.map(lambda p: p + 1, params)
    for step, share in ((0, 0.5), (5, 0.25), (10, 0.0)):
        after = method.update(moved, state, jnp.asarray(step))
        kernels = [s.target.params["projector"]["Dense_0"]["kernel"] for s in (state, after)]
        np.testing.assert_allclose(kernels[1] - kernels[0], share, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(after.covariance, state.covariance)


def diagnosed_with_last_layer(kernel, bias):
    """What is said of embeddings by this last layer of the projector."""
    method = tico()
    params, state = begin(method)
    params["projector"]["Dense_1"] = {"kernel": jnp.asarray(kernel), "bias": jnp.asarray(bias)}
    (_, (_, metrics)), _ = evaluate(method, params, state)
    return method.diagnose({name: float(value) for name, value in metrics.items()})


def test_diagnose():
    random = np.random.default_rng(0).normal(size=(8, 5)).astype(np.float32)
    zeros, ones = np.zeros(5, np.float32), np.ones(5, np.float32)
    assert diagnosed_with_last_layer(random, zeros) == []
    assert "alike" in diagnosed_with_last_layer(1e-3 * random, ones)[0]
    (sentence,) = diagnosed_with_last_layer(np.outer(random[:, 0], ones).astype(np.float32), zeros)
    assert "Dimensional" in sentence
    assert "`covariance_weight`" in sentence


@pytest.mark.parametrize(
    "options", [{"covariance_weight": 0.0}, {"covariance_decay": 1.0}, {"covariance_decay": -0.1}]
)
def test_wrong_arguments(options):
    with pytest.raises(ValueError, match="expected covariance"):
        tico(**options)


def test_wrong_views():
    with pytest.raises(ValueError, match="two_views"):
        tico(augment=lambda key, x: x[None]).init(jax.random.key(0), vectors.BATCH)
