import jax
import numpy as np
import pytest

from jssl import methods
from tests.methods import vectors
from tests.methods.vectors import begin, evaluate, forward_views, softmax_loss, unit


def nnclr(**options):
    defaults = {
        "encoder": vectors.ENCODER,
        "projector": vectors.PROJECTOR,
        "predictor": vectors.PREDICTOR,
        "augment": vectors.two_views,
        "queue_size": 20,
        "inputs": "x",
    }
    return methods.nnclr(**{**defaults, **options})


def test_loss_by_hand():
    method = nnclr(temperature=0.3)
    params, state = begin(method)
    (value, (after, metrics)), _ = evaluate(method, params, state)
    views = vectors.views_of(jax.random.split(jax.random.key(1))[0])
    z = unit(forward_views(params, state.stats, views, "encoder", "projector"))
    p = unit(forward_views(params, state.stats, views, "encoder", "projector", "predictor"))
    rows = np.asarray(state.queue.rows, np.float64)
    both = []
    for own, other in ((0, 1), (1, 0)):
        neighbours = rows[np.argmax(z[:, own] @ rows.T, axis=1)]
        both.append(softmax_loss(neighbours @ p[:, other].T / 0.3, np.arange(12)))
    np.testing.assert_allclose(value, np.mean(both), rtol=1e-4)
    np.testing.assert_allclose(metrics["contrastive/chance"], np.mean(both) / np.log(12), rtol=1e-4)
    np.testing.assert_allclose(after.queue.rows[:12], z[:, 0], atol=1e-4)
    np.testing.assert_array_equal(after.queue.rows[12:], state.queue.rows[12:])


def test_diagnose():
    method = nnclr()
    assert method.diagnose({"collapse/std": 0.8, "contrastive/chance": 0.6}) == []
    assert "alike" in method.diagnose({"collapse/std": 0.01})[0]
    assert "`queue_size`" in method.diagnose({"collapse/std": 0.8, "contrastive/chance": 1.0})[0]


@pytest.mark.parametrize("options", [{"temperature": 0.0}, {"queue_size": 0}])
def test_wrong_arguments(options):
    with pytest.raises(ValueError, match="expected"):
        nnclr(**options)


def test_queue_shorter_than_a_batch():
    with pytest.raises(ValueError, match="at least a batch of 12"):
        nnclr(queue_size=8).init(jax.random.key(0), vectors.BATCH)
