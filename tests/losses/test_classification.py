import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import losses
from tests.losses.predictive import assert_golden, cases
from tests.ops.across_devices import assert_same_across_devices


def example(batch=8, classes=5):
    keys = jax.random.split(jax.random.key(0), 3)
    soft = jax.nn.softmax(jax.random.normal(keys[1], (batch, classes)))
    return 3 * jax.random.normal(keys[0], (batch, classes)), soft, jax.random.uniform(keys[2], (batch,))


def test_equals_explicit_loops():
    logits, soft, weights = (np.asarray(x, np.float64) for x in example())
    expected, expected_hard = [], []
    for z, t, v in zip(logits, soft, weights, strict=True):
        p = np.exp(z) / np.exp(z).sum()
        expected.append(-v * sum(t * np.log(p)))
        expected_hard.append(-np.log(p[t.argmax()]))
    value = losses.classification(*example())
    np.testing.assert_allclose(value, np.mean(expected), rtol=1e-5)
    hard = losses.classification(example()[0], jnp.argmax(example()[1], axis=1))
    np.testing.assert_allclose(hard, np.mean(expected_hard), rtol=1e-5)


@pytest.mark.parametrize("name", cases("classification"))
def test_equals_pytorch(name):
    fields = ("logits", "targets", "weights")[: 3 if name.startswith("soft") else 2]
    assert_golden(losses.classification, name, cases("classification")[name], fields)


def test_closed_forms():
    labels = jnp.arange(6).reshape(2, 3)
    np.testing.assert_allclose(losses.classification(jnp.zeros((2, 3, 7)), labels), np.log(7), rtol=1e-6)
    sure = 50.0 * jax.nn.one_hot(labels, 7)
    assert losses.classification(sure, labels) < 1e-6
    assert losses.classification_accuracy(sure, labels) == 1
    np.testing.assert_allclose(losses.classification_accuracy(sure, labels.at[0, 0].set(3)), 5 / 6, rtol=1e-6)


def test_no_gradient_flows_into_targets():
    logits, soft, weights = example()
    gradient = jax.grad(losses.classification, argnums=1)(logits, soft, weights)
    np.testing.assert_array_equal(gradient, 0)


def test_same_across_devices():
    def loss_of_head(kernel, x, soft, weights, axis_name):
        return losses.classification(x @ kernel, soft, weights, axis_name=axis_name)

    assert_same_across_devices(loss_of_head, jnp.eye(5), *example())


def test_bfloat16_is_computed_in_float32():
    logits, soft, weights = example()
    low = logits.astype(jnp.bfloat16)
    value = losses.classification(low, soft, weights)
    assert value.dtype == jnp.float32
    expected = losses.classification(low.astype(jnp.float32), soft, weights)
    np.testing.assert_allclose(value, expected, rtol=1e-6)


def test_shapes_must_fit():
    loss = inspect.unwrap(losses.classification)
    logits, soft, weights = example()
    for targets, v in ((soft[:, :3], None), (soft[:4], None), (soft, weights[:3])):
        with pytest.raises(ValueError, match="expected logits"):
            loss(logits, targets, v)
