import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import losses
from tests.losses.predictive import assert_golden, cases
from tests.ops.across_devices import assert_same_across_devices


def example(batch=3, tokens=5, dim=4, seed=0):
    keys = jax.random.split(jax.random.key(seed), 3)
    prediction, target = (2 * jax.random.normal(key, (batch, tokens, dim)) for key in keys[:2])
    return prediction, target, jax.random.bernoulli(keys[2], 0.6, (batch, tokens))


@pytest.mark.parametrize("beta", [0.3, 1.0, 2.0])
def test_equals_explicit_loops(beta):
    prediction, target, mask = example()
    errors = []
    for place in np.argwhere(np.asarray(mask)):
        pair = (np.asarray(x, np.float64)[tuple(place)] for x in (prediction, target))
        for p, t in zip(*pair, strict=True):
            d = abs(p - t)
            errors.append(0.5 * d * d / beta if d < beta else d - 0.5 * beta)
    value = losses.smooth_l1(prediction, target, mask, beta=beta)
    np.testing.assert_allclose(value, np.mean(errors), rtol=1e-5)


@pytest.mark.parametrize("name", cases("smooth_l1"))
def test_equals_pytorch(name):
    beta = float(name.split(",")[0])
    fields = ("prediction", "target", "mask")
    assert_golden(losses.smooth_l1, name, cases("smooth_l1")[name], fields, beta=beta)


def test_closed_forms():
    x = jnp.zeros((1, 2, 3))
    np.testing.assert_allclose(losses.smooth_l1(x + 0.5, x, beta=1.0), 0.125)
    np.testing.assert_allclose(losses.smooth_l1(x - 3.0, x, beta=2.0), 2.0)
    np.testing.assert_allclose(losses.smooth_l1(x + 2.0, x, beta=2.0), 1.0)  # both forms meet here
    assert losses.smooth_l1(x + 1.0, x, jnp.zeros((1, 2), bool)) == 0


def test_same_across_devices_of_unequal_masks():
    def loss_of_head(weights, x, target, mask, axis_name):
        return losses.smooth_l1(x @ weights, target, mask, axis_name=axis_name)

    assert_same_across_devices(loss_of_head, jnp.eye(4), *example(batch=8))


def test_bfloat16_is_computed_in_float32():
    prediction, target, mask = example()
    low = [x.astype(jnp.bfloat16) for x in (prediction, target)]
    value = losses.smooth_l1(*low, mask)
    assert value.dtype == jnp.float32
    np.testing.assert_allclose(value, losses.smooth_l1(*(x.astype(jnp.float32) for x in low), mask))


def test_wrong_arguments():
    loss = inspect.unwrap(losses.smooth_l1)
    prediction, target, mask = example()
    with pytest.raises(ValueError, match="beta above 0"):
        loss(prediction, target, beta=0.0)
    with pytest.raises(ValueError, match="predict every token"):
        loss(prediction, target[:2], mask)
