import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import losses
from tests.losses import predictive
from tests.losses.golden import TOLERANCE, cases
from tests.ops.across_devices import assert_same_across_devices


def example(batch=3, tokens=5, dim=4, seed=0):
    keys = jax.random.split(jax.random.key(seed), 3)
    prediction, target = (jax.random.normal(key, (batch, tokens, dim)) for key in keys[:2])
    return prediction, target, jax.random.bernoulli(keys[2], 0.6, (batch, tokens))


def naive(prediction, target, mask, normalize):
    errors = []
    tokens = (np.asarray(x).reshape(-1, x.shape[-1]) for x in (prediction, target))
    for p, t, hidden in zip(*tokens, mask.ravel(), strict=True):
        if hidden:
            t = t.astype(np.float64)
            if normalize:
                variance = sum((t - t.mean()) ** 2) / (len(t) - 1)
                t = (t - t.mean()) / np.sqrt(variance + 1e-6)
            errors.append(np.mean((p - t) ** 2))
    return np.mean(errors)


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("shape", [(1, 1, 2), (3, 5, 4), (2, 9, 12)])
def test_equals_explicit_loops(shape, normalize):
    prediction, target, _ = example(*shape)
    mask = (jnp.arange(shape[0] * shape[1]) % 3 != 1).reshape(shape[:2])
    actual = losses.masked_reconstruction(prediction, target, mask, normalize=normalize)
    np.testing.assert_allclose(actual, naive(prediction, target, np.asarray(mask), normalize), rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_equals_reference_implementation(dtype):
    value_and_gradient = jax.jit(
        jax.value_and_grad(losses.masked_reconstruction), static_argnames="normalize"
    )
    with jax.enable_x64(dtype == "float64"):
        for case in cases("masked_reconstruction"):
            inputs = [jnp.asarray(case.arrays[name], dtype) for name in ("prediction", "target", "mask")]
            value, gradient = value_and_gradient(*inputs, normalize=case.arguments["normalize"] == "True")
            tolerance = {"rtol": 2 * TOLERANCE[dtype], "atol": TOLERANCE[dtype], "err_msg": str(case)}
            np.testing.assert_allclose(value, case.arrays[f"value_{dtype}"], **tolerance)
            np.testing.assert_allclose(gradient, case.arrays[f"gradient_prediction_{dtype}"], **tolerance)


@pytest.mark.parametrize("normalize", [False, True])
def test_same_across_devices_of_unequal_masks(normalize):
    def loss_of_decoder(weights, x, target, mask, axis_name):
        return losses.masked_reconstruction(
            x @ weights, target, mask, normalize=normalize, axis_name=axis_name
        )

    x, target, mask = example(batch=8)
    assert len(set(mask.sum(axis=1).tolist())) > 1
    assert_same_across_devices(loss_of_decoder, jnp.eye(4), x, target, mask)


def test_only_masked_tokens_count():
    prediction, target, mask = example()
    expected = losses.masked_reconstruction(prediction, target, mask)
    elsewhere = jnp.where(mask[..., None], prediction, 7.0)
    value, gradient = jax.value_and_grad(losses.masked_reconstruction)(elsewhere, target, mask)
    assert value == expected
    np.testing.assert_array_equal(gradient == 0, jnp.broadcast_to(~mask[..., None], gradient.shape))


def test_nothing_masked_is_no_loss():
    prediction, target, mask = example()
    value, gradient = jax.value_and_grad(losses.masked_reconstruction)(prediction, target, mask & False)
    assert value == 0
    assert (gradient == 0).all()


def test_bfloat16_is_computed_in_float32():
    prediction, target, mask = example()
    low = prediction.astype(jnp.bfloat16), target.astype(jnp.bfloat16)
    value = losses.masked_reconstruction(*low, mask, normalize=True)
    assert value.dtype == jnp.float32
    in_float32 = losses.masked_reconstruction(*(x.astype(jnp.float32) for x in low), mask, normalize=True)
    np.testing.assert_allclose(value, in_float32, rtol=1e-6)


def test_normalized_patches_have_mean_0_and_unbiased_variance_1():
    patches = losses.normalize_patches(100.0 + 50.0 * example(dim=16)[1])
    np.testing.assert_allclose(patches.mean(axis=-1), 0, atol=1e-5)
    np.testing.assert_allclose(patches.var(axis=-1, ddof=1), 1, rtol=1e-4)


def test_a_constant_patch_is_0():
    np.testing.assert_array_equal(losses.normalize_patches(jnp.full((2, 4), 0.5)), 0)


def test_shapes_must_fit():
    loss = inspect.unwrap(losses.masked_reconstruction)
    x = jnp.ones((2, 3, 4))
    for prediction, mask in ((x[..., :2], x[..., 0]), (x[:, :2], x[..., 0]), (x, x), (x, x[:, :2, 0])):
        with pytest.raises(ValueError, match="predict every token"):
            loss(prediction, x, mask)


def test_a_patch_of_one_value_has_no_variance():
    with pytest.raises(ValueError, match="at least 2 values"):
        losses.normalize_patches(jnp.ones((3, 1)))


@pytest.mark.parametrize("name", predictive.cases("masked_l1"))
def test_masked_l1_equals_transformers(name):
    """Which adds 1e-5 to the number of masked pixels."""
    predictive.assert_golden(
        losses.masked_l1,
        name,
        predictive.cases("masked_l1")[name],
        ("prediction", "target", "mask"),
        tolerances={"float32": 3e-6, "float64": 1e-6},
    )


def test_masked_l1_equals_explicit_loops():
    prediction, target, mask = example()
    difference = np.abs(np.asarray(prediction, np.float64) - np.asarray(target, np.float64))
    expected = sum(difference[i, j].sum() for i, j in np.argwhere(mask)) / (4 * mask.sum())
    np.testing.assert_allclose(losses.masked_l1(prediction, target, mask), expected, rtol=1e-5)
    assert losses.masked_l1(prediction.astype(jnp.bfloat16), target, mask).dtype == jnp.float32


def test_other_losses_are_the_same_across_devices():
    x, target, mask = example(batch=8)

    def absolute(weights, x, target, mask, axis_name):
        return losses.masked_l1(x @ weights, target, mask, axis_name=axis_name)

    def squared(weights, x, target, axis_name):
        return losses.mean_squared_error(x @ weights, target, axis_name=axis_name)

    assert_same_across_devices(absolute, jnp.eye(4), x, target, mask)
    assert_same_across_devices(squared, jnp.eye(4), x, target)


def test_mean_squared_error():
    prediction, target, _ = example()
    expected = np.mean((np.asarray(prediction, np.float64) - np.asarray(target, np.float64)) ** 2)
    np.testing.assert_allclose(losses.mean_squared_error(prediction, target), expected, rtol=1e-5)
    low = losses.mean_squared_error(prediction.astype(jnp.bfloat16), target.astype(jnp.bfloat16))
    assert low.dtype == jnp.float32
    with pytest.raises(ValueError, match="one shape"):
        inspect.unwrap(losses.mean_squared_error)(prediction, target[:1])
