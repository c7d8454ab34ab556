import jax
import jax.numpy as jnp
import numpy as np

from jssl import methods, ops
from tests.methods import vectors
from tests.methods.test_moco import perturbed
from tests.methods.vectors import begin, evaluate, forward_views, unit


def byol(**options):
    defaults = {
        "encoder": vectors.ENCODER,
        "projector": vectors.PROJECTOR,
        "predictor": vectors.PREDICTOR,
        "augment": vectors.two_views,
        "inputs": "x",
    }
    return methods.byol(**{**defaults, **options})


def test_loss_by_hand():
    method = byol()
    params, state = begin(method)
    state = perturbed(state)
    (value, (after, metrics)), _ = evaluate(method, params, state)
    views = vectors.views_of(jax.random.split(jax.random.key(1), 3)[0])
    p = unit(forward_views(params, state.stats, views, "encoder", "projector", "predictor"))
    z = unit(forward_views(state.target.params, state.target.stats, views, "encoder", "projector"))
    np.testing.assert_allclose(metrics["collapse/std"], np.sqrt(5) * z.std(axis=(0, 1)).mean(), rtol=1e-4)
    expected = sum(np.mean(np.sum((p[:, i] - z[:, 1 - i]) ** 2, axis=1)) for i in (0, 1))
    np.testing.assert_allclose(value, expected, rtol=1e-4)
    jax.tree.map(np.testing.assert_array_equal, after.target.params, state.target.params)
    before, now = (s.target.stats["encoder"]["batch_stats"] for s in (state, after))
    assert jax.tree.all(jax.tree.map(lambda a, b: np.any(a != b), before, now))


def test_the_target_follows_by_the_decay_of_the_step():
    method = byol(decay=ops.cosine(0.5, 1.0, 10))
    params, state = begin(method)
    moved = jax.tree.map(lambda p: p + 1, params)
    for step, share in ((0, 0.5), (5, 0.25), (10, 0.0), (11, 0.0)):
        after = method.update(moved, state, jnp.asarray(step)).target.params
        assert after.keys() == {"encoder", "projector"}
        before = state.target.params["projector"]["Dense_0"]["kernel"]
        np.testing.assert_allclose(
            after["projector"]["Dense_0"]["kernel"] - before, share, rtol=1e-5, atol=1e-6
        )


def test_diagnose():
    method = byol()
    assert method.diagnose({"collapse/std": 0.8, "loss": 0.1}) == []
    assert "`decay`" in method.diagnose({"collapse/std": 0.01, "loss": 0.0})[0]
    assert "Dimensional" in method.diagnose({"collapse/std": 0.8, "collapse/dimensions": 0.001})[0]
