import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import methods, ops
from tests.methods import vectors
from tests.methods.vectors import begin, evaluate, forward, forward_views, softmax_loss, unit


def moco(**options):
    defaults = {
        "encoder": vectors.ENCODER,
        "projector": vectors.PROJECTOR,
        "augment": vectors.two_views,
        "queue_size": 20,
        "inputs": "x",
    }
    return methods.moco(**{**defaults, **options})


def perturbed(state):
    """The state with another target, so that online and target can't be mistaken for each other."""
    params = jax.tree.map(lambda p: p + 0.1 * np.cos(np.arange(p.size).reshape(p.shape)), state.target.params)
    return state._replace(target=state.target._replace(params=params))


def seen(seed=1):
    """Both views by the key that the loss gives to its transforms."""
    views = vectors.views_of(jax.random.split(jax.random.key(seed), 3)[0])
    return views[:, 0], views[:, 1]


def test_v2_by_hand():
    """The first view's queries; keys of the second by the target; the queue's rows as the only negatives."""
    method = moco(temperature=0.3)
    params, state = begin(method)
    state = perturbed(state)
    (value, (after, metrics)), _ = evaluate(method, params, state)
    view_a, view_b = seen()
    q = unit(forward(params, state.stats, view_a, "encoder", "projector"))
    k = unit(forward(state.target.params, state.target.stats, view_b, "encoder", "projector"))
    rows = np.asarray(state.queue.rows[:, 0], np.float64)
    logits = np.concatenate([np.sum(q * k, axis=1)[:, None], q @ rows.T], axis=1) / 0.3
    np.testing.assert_allclose(value, softmax_loss(logits, np.zeros(12, int)), rtol=1e-4)
    np.testing.assert_allclose(metrics["contrastive/chance"], value / np.log(21), rtol=1e-5)
    found = np.mean(np.argmax(q @ k.T, axis=1) == np.arange(12))
    np.testing.assert_allclose(metrics["contrastive/accuracy"], found)
    np.testing.assert_allclose(after.queue.rows[:12, 0], k, atol=1e-4)
    np.testing.assert_array_equal(after.queue.rows[12:], state.queue.rows[12:])


def test_symmetric_v2_has_a_queue_for_each_view():
    method = moco(symmetric=True)
    params, state = begin(method)
    (value, (after, _)), _ = evaluate(method, params, state)
    views = jnp.stack(seen(), axis=1)
    z = unit(forward_views(params, state.stats, views, "encoder", "projector"))
    each = []
    for own, other in ((0, 1), (1, 0)):
        negatives = z[:, own] @ np.asarray(state.queue.rows[:, own], np.float64).T
        positives = np.sum(z[:, own] * z[:, other], axis=1)[:, None]
        each.append(softmax_loss(np.concatenate([positives, negatives], axis=1) / 0.2, np.zeros(12, int)))
        np.testing.assert_allclose(after.queue.rows[:12, own], z[:, other], atol=1e-4)
    np.testing.assert_allclose(value, np.mean(each), rtol=1e-4)


def test_v3_by_hand():
    """2 t times the InfoNCE of both orders, whose negatives are the other view's other keys."""
    method = moco(queue_size=0, symmetric=True, predictor=vectors.PREDICTOR, temperature=0.4)
    params, state = begin(method)
    state = perturbed(state)
    (value, (after, metrics)), _ = evaluate(method, params, state)
    views = jnp.stack(seen(), axis=1)
    q = unit(forward_views(params, state.stats, views, "encoder", "projector", "predictor"))
    k = unit(forward_views(state.target.params, state.target.stats, views, "encoder", "projector"))
    both = [softmax_loss(q[:, i] @ k[:, 1 - i].T / 0.4, np.arange(12)) for i in (0, 1)]
    np.testing.assert_allclose(value, 2 * 0.4 * sum(both), rtol=1e-4)
    np.testing.assert_allclose(metrics["contrastive/chance"], np.mean(both) / np.log(12), rtol=1e-4)
    assert after.queue is None


def test_the_target_follows_by_the_decay_of_the_step():
    method = moco(decay=ops.linear(0.5, 1.0, 10))
    params, state = begin(method)
    moved = jax.tree.map(lambda p: p + 1, params)
    for step, share in ((0, 0.5), (5, 0.25), (10, 0.0)):
        after = method.update(moved, state, jnp.asarray(step)).target.params
        before = state.target.params["encoder"]["Dense_0"]["kernel"]
        np.testing.assert_allclose(after["encoder"]["Dense_0"]["kernel"] - before, share, rtol=1e-5)


def test_the_queue_starts_full_of_directions():
    _, state = begin(moco())
    assert state.queue.size == 20
    np.testing.assert_allclose(np.linalg.norm(state.queue.rows, axis=-1), 1.0, rtol=1e-5)


def test_diagnose():
    method = moco()
    assert method.diagnose({"collapse/std": 0.8, "contrastive/chance": 0.6}) == []
    (sentence,) = method.diagnose({"collapse/std": 0.01, "contrastive/chance": 1.0})
    assert "alike" in sentence
    (sentence,) = method.diagnose({"collapse/std": 0.8, "contrastive/chance": 0.99})
    assert "log K" in sentence
    assert "`temperature`" in sentence


def test_constant_keys_are_diagnosed():
    """With one key for all examples and a queue of it, the loss is that of a guess."""
    method = moco()
    params, state = begin(method)
    last = params["projector"]["Dense_1"]
    constant = {"kernel": 0 * last["kernel"], "bias": 1 + 0 * last["bias"]}
    params["projector"]["Dense_1"] = state.target.params["projector"]["Dense_1"] = constant
    rows = np.full_like(state.queue.rows, 5**-0.5)
    (_, (_, metrics)), _ = evaluate(method, params, state._replace(queue=state.queue._replace(rows=rows)))
    np.testing.assert_allclose(metrics["contrastive/chance"], 1.0, rtol=1e-5)
    assert "alike" in method.diagnose({name: float(value) for name, value in metrics.items()})[0]


@pytest.mark.parametrize("options", [{"temperature": 0.0}, {"queue_size": -1}])
def test_wrong_arguments(options):
    with pytest.raises(ValueError, match="expected"):
        moco(**options)


def test_queue_shorter_than_a_batch():
    with pytest.raises(ValueError, match="at least a batch of 12"):
        moco(queue_size=8).init(jax.random.key(0), vectors.BATCH)


def test_wrong_views():
    with pytest.raises(ValueError, match="two_views"):
        moco(augment=lambda key, x: x[None]).init(jax.random.key(0), vectors.BATCH)
