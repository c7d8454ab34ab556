import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import methods, nn, ops, train
from jssl.methods.deepcluster_v2 import _remember
from tests import conformance
from tests.methods.test_deepcluster import Rows, lookup


def two_noisy(key, x):
    return x[None] + 0.05 * jax.random.normal(key, (2, *x.shape))


def deepcluster_v2(**options):
    defaults = {
        "encoder": lookup(),
        "projector": nn.linear(4),
        "num_prototypes": (3, 3, 5),
        "num_examples": 120,
        "augment": two_noisy,
    }
    return methods.deepcluster_v2(**{**defaults, **options})


def started(method, rows, key=1):
    params, state = method.init(jax.random.key(0), rows.batch(np.arange(8)))
    return method.refresh(params, state, rows, key=jax.random.key(key))


def test_the_first_refresh_fills_the_memory_and_clusters_it():
    rows = Rows()
    _, state, metrics = started(deepcluster_v2(), rows)
    assert state.memory.shape == (2, 120, 4)
    np.testing.assert_allclose(jnp.linalg.norm(state.memory, axis=-1), 1, rtol=1e-5)
    assert np.abs(state.memory[0] - state.memory[1]).max() > 1e-3
    assert [own.shape for own in state.prototypes] == [(3, 4), (3, 4), (5, 4)]
    for head, own in enumerate(state.prototypes):
        np.testing.assert_allclose(jnp.linalg.norm(own, axis=1), 1, rtol=1e-5)
        nearest, _ = ops.nearest_centroids(state.memory[head % 2], own)
        np.testing.assert_array_equal(nearest, state.assignments[head])
    assert 0 < metrics["refresh/nmi_labels"] <= 1
    assert "refresh/nmi_previous" not in metrics


def test_a_later_refresh_clusters_what_the_steps_have_written():
    rows, method = Rows(), deepcluster_v2()
    params, state, _ = started(method, rows)
    index = np.arange(40, 56)
    _, (after, _) = method.loss(params, state, rows.batch(index), key=jax.random.key(2), step=jnp.asarray(0))
    changed = np.abs(after.memory - state.memory).max(axis=(0, 2)) > 0
    np.testing.assert_array_equal(np.flatnonzero(changed), index)
    reads = rows.reads
    _, again, metrics = method.refresh(params, after, rows, key=jax.random.key(3))
    np.testing.assert_array_equal(again.memory, after.memory)
    assert rows.reads <= reads + 1
    assert "refresh/nmi_previous" in metrics


def test_of_an_example_that_comes_twice_the_last_is_kept():
    z = jnp.arange(1.0, 5.0)[:, None, None] * jnp.ones((1, 2, 3))
    memory = _remember(jnp.zeros((2, 6, 3)), jnp.asarray([4, 1, 4, 0]), z)
    np.testing.assert_array_equal(memory[:, :, 0], [[4, 2, 0, 0, 3, 0]] * 2)


def test_every_view_predicts_the_cluster_of_its_example():
    """Against explicit loops over heads, examples and views."""
    rows, method = Rows(), deepcluster_v2(augment=lambda key, x: jnp.stack([x, x]), temperature=0.5)
    params, state, _ = started(method, rows)
    index = np.asarray([3, 100, 119, 50])
    value, (_, metrics) = method.loss(
        params, state, rows.batch(index), key=jax.random.key(2), step=jnp.asarray(0)
    )
    kernel, bias = params["projector"]["kernel"], params["projector"]["bias"]
    z = np.float64(rows.x[index] @ np.asarray(kernel) + np.asarray(bias))
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    terms, chance = [], []
    for prototypes, labels in zip(state.prototypes, state.assignments, strict=True):
        own = []
        for row, label in zip(z, np.asarray(labels)[index], strict=True):
            exps = np.exp(np.float64(prototypes) @ row / 0.5)
            own.append(-np.log(exps[label] / exps.sum()))
        terms.append(np.mean(own))
        chance.append(np.mean(own) / np.log(len(prototypes)))
    np.testing.assert_allclose(value, np.mean(terms), rtol=1e-5)
    np.testing.assert_allclose(metrics["classification/chance"], np.mean(chance), rtol=1e-5)
    assert metrics["clusters/accuracy"] == 1


def test_a_refresh_is_the_same_on_eight_devices():
    rows, method = Rows(), deepcluster_v2()
    params, state = method.init(jax.random.key(0), rows.batch(np.arange(8)))
    _, one, _ = method.refresh(params, state, rows, key=jax.random.key(1))
    placed = jax.device_put((params, state), train.replicated(train.device_mesh()))
    _, eight, _ = method.refresh(*placed, rows, key=jax.random.key(1))
    np.testing.assert_allclose(one.memory, eight.memory, atol=1e-6)
    np.testing.assert_array_equal(one.assignments, eight.assignments)


def test_before_a_refresh_nothing_is_learned_and_it_says_so():
    rows, method = Rows(), deepcluster_v2()
    params, state = method.init(jax.random.key(0), rows.batch(np.arange(8)))
    value, (_, metrics) = method.loss(
        params, state, rows.batch(np.arange(8)), key=jax.random.key(1), step=jnp.asarray(0)
    )
    assert value == 0
    (sentence,) = method.diagnose({name: float(x) for name, x in metrics.items()})
    assert "refresh_every" in sentence


@pytest.mark.parametrize(
    ("metrics", "words"),
    [
        ({"refresh/largest_share": 0.9}, "90% of all examples"),
        ({"collapse/std": 0.001}, "nearly alike"),
        ({"classification/chance": 1.0}, "Stuck at chance"),
        ({"refresh/largest_share": 0.4, "classification/chance": 0.3, "collapse/std": 0.9}, None),
    ],
)
def test_diagnosis(metrics, words):
    found = deepcluster_v2().diagnose({"clusters/assigned": 1.0, **metrics})
    assert (words is None) == (found == [])
    assert words is None or words in found[0]


@pytest.mark.parametrize(
    "options",
    [
        {"num_prototypes": ()},
        {"num_prototypes": (3, 1)},
        {"num_prototypes": (121,)},
        {"temperature": 0.0},
        {"num_iterations": 0},
    ],
)
def test_wrong_arguments(options):
    with pytest.raises(ValueError, match="expected"):
        deepcluster_v2(**options)


def test_one_view_is_too_few():
    method = deepcluster_v2(augment=conformance.noisy)
    with pytest.raises(ValueError, match="multi_crop"):
        method.init(jax.random.key(0), Rows().batch(np.arange(8)))
