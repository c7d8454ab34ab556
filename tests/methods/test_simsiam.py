import jax
import jax.numpy as jnp
import numpy as np

from jssl import losses, methods
from jssl.core import Variables
from tests.methods import vectors
from tests.methods.vectors import begin, evaluate, forward_views, unit


def simsiam(**options):
    defaults = {
        "encoder": vectors.ENCODER,
        "projector": vectors.PROJECTOR,
        "predictor": vectors.PREDICTOR,
        "augment": vectors.two_views,
        "inputs": "x",
    }
    return methods.simsiam(**{**defaults, **options})


def views():
    return vectors.views_of(jax.random.split(jax.random.key(1))[0])


def test_loss_by_hand():
    method = simsiam()
    params, state = begin(method)
    (value, (_, metrics)), _ = evaluate(method, params, state)
    p = unit(forward_views(params, state.stats, views(), "encoder", "projector", "predictor"))
    z = unit(forward_views(params, state.stats, views(), "encoder", "projector"))
    np.testing.assert_allclose(metrics["collapse/std"], np.sqrt(5) * z.std(axis=(0, 1)).mean(), rtol=1e-4)
    expected = -np.mean([np.sum(p[:, i] * z[:, 1 - i], axis=1) for i in (0, 1)])
    np.testing.assert_allclose(value, expected, rtol=1e-4)


def test_the_gradient_passes_the_predictor_alone():
    """It equals that of a loss whose targets were computed beforehand."""
    method = simsiam()
    params, state = begin(method)
    _, gradients = evaluate(method, params, state)
    fixed = forward_views(params, state.stats, views(), "encoder", "projector")
    fixed = jnp.asarray(fixed, jnp.float32)

    def predicted(params, rows):
        for name, network in (
            ("encoder", vectors.ENCODER),
            ("projector", vectors.PROJECTOR),
            ("predictor", vectors.PREDICTOR),
        ):
            rows, _ = network.apply(Variables(params[name], state.stats[name]), rows, train=True)
        return rows

    def loss(params):
        p = [predicted(params, views()[:, i]) for i in (0, 1)]
        return sum(losses.negative_cosine(p[i], fixed[:, 1 - i]) for i in (0, 1)) / 2

    expected = jax.jit(jax.grad(loss))(params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5), gradients, expected)


def test_diagnose():
    method = simsiam()
    assert method.diagnose({"collapse/std": 0.8, "loss": -0.9}) == []
    assert "`predictor`" in method.diagnose({"collapse/std": 0.01, "loss": -1.0})[0]
    assert "Dimensional" in method.diagnose({"collapse/std": 0.8, "collapse/dimensions": 0.001})[0]
