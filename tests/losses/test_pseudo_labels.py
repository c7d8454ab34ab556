import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import losses
from tests.losses.golden import TOLERANCE, cases
from tests.ops.across_devices import assert_same_across_devices


def cosines(*shape, seed=0):
    return jnp.tanh(jax.random.normal(jax.random.key(seed), shape))


def naive(scores, labels, weights, temperature):
    terms = []
    for example, label in zip(np.float64(scores), labels, strict=True):
        for view in example:
            if label >= 0:
                exps = np.exp(view / temperature)
                terms.append(-weights[label] * np.log(exps[label] / exps.sum()))
    return np.mean(terms)


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_equals_explicit_loops(temperature):
    scores, labels = cosines(5, 3, 4), jnp.asarray([1, 3, -1, 0, 1])
    weights = jnp.asarray([0.5, 1.0, 2.0, 3.0])
    found = losses.pseudo_label(scores, labels, temperature=temperature, weights=weights)
    np.testing.assert_allclose(found, naive(scores, labels, weights, temperature), rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_equals_reference_implementation(dtype):
    with jax.enable_x64(dtype == "float64"):
        for case in cases("pseudo_label", "redundancy"):
            labels = jnp.asarray(case.arrays["labels"], jnp.int32)

            def loss(scores, labels=labels):
                return losses.pseudo_label(scores, labels, temperature=0.1)

            value, gradient = jax.value_and_grad(loss)(jnp.asarray(case.arrays["scores"], dtype))
            tolerance = {"rtol": 3 * TOLERANCE[dtype], "atol": TOLERANCE[dtype], "err_msg": str(case)}
            np.testing.assert_allclose(value, case.arrays[f"value_{dtype}"], **tolerance)
            np.testing.assert_allclose(gradient, case.arrays[f"gradient_scores_{dtype}"], **tolerance)


def test_equal_scores_leave_a_uniform_guess():
    np.testing.assert_allclose(losses.pseudo_label(jnp.ones((6, 9)), jnp.arange(6) % 3), np.log(9), rtol=1e-6)


def test_nothing_is_learnt_without_labels():
    value, gradient = jax.value_and_grad(losses.pseudo_label)(cosines(4, 2, 5), -jnp.ones(4, jnp.int32))
    assert value == 0
    assert (gradient == 0).all()


def test_weights_balance_clusters_of_any_size():
    """One example of a cluster counts as much as three of the other, and drawn evenly they would too."""
    scores, labels = cosines(4, 2), jnp.asarray([0, 0, 0, 1])
    found = losses.pseudo_label(scores, labels, weights=jnp.asarray([4 / (2 * 3), 4 / (2 * 1)]))
    of_each = [losses.pseudo_label(scores[labels == k], labels[labels == k]) for k in (0, 1)]
    np.testing.assert_allclose(found, np.mean(of_each), rtol=1e-6)


def test_same_across_devices():
    def loss(weights, x, labels, axis_name):
        return losses.pseudo_label(x @ weights, labels, axis_name=axis_name)

    labels = jnp.asarray([0, -1, 2, 1] * 4)
    assert_same_across_devices(loss, cosines(3, 6), cosines(16, 2, 3, seed=1), labels)


def test_bfloat16_is_computed_in_float32():
    scores, labels = cosines(4, 3).astype(jnp.bfloat16), jnp.arange(4) % 3
    value = losses.pseudo_label(scores, labels, temperature=0.1)
    assert value.dtype == jnp.float32
    wide = losses.pseudo_label(scores.astype(jnp.float32), labels, temperature=0.1)
    np.testing.assert_allclose(value, wide, rtol=1e-6)


@pytest.mark.parametrize(
    ("scores", "labels", "weights"), [((4, 3), (5,), None), ((4,), (4,), None), ((4, 3), (4,), (4,))]
)
def test_shapes_must_fit(scores, labels, weights):
    weights = None if weights is None else jnp.ones(weights)
    with pytest.raises(ValueError, match="expected scores"):
        inspect.unwrap(losses.pseudo_label)(jnp.ones(scores), jnp.zeros(labels, jnp.int32), weights=weights)
