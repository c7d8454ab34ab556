import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jssl import ops


def normal(*shape, seed=0):
    return jax.random.normal(jax.random.key(seed), shape)


def test_at_least_float32():
    for dtype, expected in ((jnp.bfloat16, "float32"), (jnp.float16, "float32"), (jnp.uint8, "float32")):
        assert ops.at_least_float32(jnp.ones(2, dtype)).dtype == expected
    with jax.enable_x64(True):
        assert ops.at_least_float32(jnp.ones(2, jnp.float64)).dtype == "float64"


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_l2_normalize_makes_unit_length(axis):
    x = normal(3, 4, 5)
    y = ops.l2_normalize(x, axis=axis)
    np.testing.assert_allclose(np.linalg.norm(y, axis=axis), 1, rtol=1e-6)
    np.testing.assert_allclose(y, x / np.linalg.norm(x, axis=axis, keepdims=True), rtol=1e-6)


def test_l2_normalize_has_value_and_gradient_0_at_0():
    x = normal(3, 4).at[1].set(0.0)
    value, gradient = jax.value_and_grad(lambda x: (ops.l2_normalize(x) * normal(3, 4, seed=1)).sum())(x)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()
    assert (gradient[1] == 0).all()
    assert (gradient[0] != 0).all()


def test_l2_normalize_hides_no_nan():
    x = jnp.array([[1.0, jnp.nan], [3.0, 4.0]])
    np.testing.assert_allclose(ops.l2_normalize(x), [[jnp.nan, jnp.nan], [0.6, 0.8]], rtol=1e-6)


def test_l2_normalize_keeps_bfloat16_but_computes_in_float32():
    x = normal(4, 64).astype(jnp.bfloat16)
    y = ops.l2_normalize(x)
    assert y.dtype == jnp.bfloat16
    np.testing.assert_array_equal(y, ops.l2_normalize(x.astype(jnp.float32)).astype(jnp.bfloat16))


def test_cosine_similarity():
    a, b = normal(3, 5), normal(4, 5, seed=1)
    expected = [[x @ y / (np.linalg.norm(x) * np.linalg.norm(y)) for y in b] for x in a]
    np.testing.assert_allclose(ops.cosine_similarity(a, b), expected, rtol=1e-5, atol=1e-6)


def test_cross_entropy_equals_optax():
    logits, classes = normal(4, 3, 6), jnp.arange(12).reshape(4, 3) % 6
    soft = jax.nn.softmax(normal(4, 3, 6, seed=1))
    np.testing.assert_allclose(
        ops.cross_entropy(logits, classes),
        optax.softmax_cross_entropy_with_integer_labels(logits, classes),
        rtol=1e-6,
    )
    np.testing.assert_allclose(
        ops.cross_entropy(logits, soft), optax.softmax_cross_entropy(logits, soft), rtol=1e-6
    )


def test_cross_entropy_of_excluded_and_extreme_logits():
    logits = jnp.array([[0.0, -jnp.inf, 0.0], [1e8, -1e8, 0.0]])
    targets = jnp.array([2, 0])
    value, gradient = jax.value_and_grad(lambda x: ops.cross_entropy(x, targets).sum())(logits)
    np.testing.assert_allclose(value, np.log(2), rtol=1e-6)
    np.testing.assert_allclose(gradient, [[0.5, 0, -0.5], [0, 0, 0]], atol=1e-6)


def test_cross_entropy_of_bfloat16_is_float32():
    logits = normal(4, 6).astype(jnp.bfloat16)
    for targets in (jnp.arange(4), jax.nn.softmax(logits)):
        assert ops.cross_entropy(logits, targets).dtype == jnp.float32
