"""The layer norm: Flax's parameters, values and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen

from jssl.nn.norm import LayerNorm, normalized


@pytest.mark.parametrize("shape", [(3,), (5, 3), (2, 4, 5, 3)])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize(("use_bias", "use_scale"), [(True, True), (False, True), (False, False)])
def test_values_and_gradients_are_those_of_flax(shape, dtype, use_bias, use_scale):
    x = jax.random.normal(jax.random.key(0), shape, dtype)
    w = jax.random.normal(jax.random.key(3), shape)
    own, theirs = (
        layer(1e-3, dtype=dtype, use_bias=use_bias, use_scale=use_scale)
        for layer in (LayerNorm, linen.LayerNorm)
    )
    params = own.init(jax.random.key(1), x).get("params", {})
    assert jax.tree.map(jnp.shape, params) == jax.tree.map(
        jnp.shape, dict(theirs.init(jax.random.key(2), x).get("params", {}))
    )
    params = {name: value + jnp.arange(3) / 4 for name, value in params.items()}

    def weighted(params, x, layer):
        y = layer.apply({"params": params}, x)
        assert y.dtype == dtype
        return jnp.sum(jnp.sin(y.astype(jnp.float32) + w))

    (value, found), (expected, wanted) = (
        jax.value_and_grad(weighted, (0, 1))(params, x, layer) for layer in (own, theirs)
    )
    close = {"rtol": 1e-5, "atol": 1e-5} if dtype == jnp.float32 else {"rtol": 2e-2, "atol": 2e-2}
    np.testing.assert_allclose(value, expected, rtol=close["rtol"])
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(*(np.asarray(c, np.float32) for c in (a, b)), **close),
        found,
        wanted,
    )
    assert found[1].dtype == dtype


def test_a_large_mean_does_not_hide_the_variance():
    x = np.random.default_rng(0).normal(size=(4, 64)) + 1e4
    expected = (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)
    found = normalized(jnp.asarray(x, jnp.float32), None, None, 0.0, jnp.float32)
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_the_gradient_is_that_of_differences():
    rng = np.random.default_rng(0)
    x, scale, bias, w = (
        rng.normal(size=(2, 5)),
        rng.normal(size=5),
        rng.normal(size=5),
        rng.normal(size=(2, 5)),
    )

    def total(x, scale, bias):
        centred = x - x.mean(1, keepdims=True)
        y = centred / np.sqrt((centred**2).mean(1, keepdims=True) + 0.1) * scale + bias
        return (y * w).sum()

    def own(x, scale, bias):
        return jnp.sum(normalized(x, scale, bias, 0.1, jnp.float32) * jnp.asarray(w, jnp.float32))

    given = x, scale, bias
    found = jax.grad(own, (0, 1, 2))(*(jnp.asarray(a, jnp.float32) for a in given))
    for place, (array, gradient) in enumerate(zip(given, found, strict=True)):
        for index in np.ndindex(array.shape):
            step = np.zeros_like(array)
            step[index] = 1e-5
            ends = [total(*given[:place], array + sign * step, *given[place + 1 :]) for sign in (1, -1)]
            np.testing.assert_allclose(gradient[index], (ends[0] - ends[1]) / 2e-5, rtol=1e-3, atol=1e-4)


def test_it_keeps_its_input_and_numbers_of_a_row_only():
    def layer(x):
        return LayerNorm(1e-6).apply({"params": {"scale": jnp.ones(8), "bias": jnp.ones(8)}}, x)

    kept = jax.eval_shape(lambda x: jax.vjp(layer, x)[1], jax.ShapeDtypeStruct((4, 8), jnp.float32))
    assert sum(leaf.shape == (4, 8) for leaf in jax.tree.leaves(kept)) == 1
