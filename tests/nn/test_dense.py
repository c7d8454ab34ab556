"""The linear layer: Flax's values and gradients, and no copy in the compiled gradient."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen

from jssl.nn.dense import Dense, product

SHAPES = ((3,), (5, 3), (2, 5, 3), (2, 4, 5, 3))


def weighted(dense, w):
    """A scalar in which each output counts differently."""
    return lambda x, kernel: jnp.sum(dense(x, kernel) * w)


@pytest.mark.parametrize("shape", SHAPES)
def test_value_and_gradients_are_those_of_the_product_in_numpy(shape):
    rng = np.random.default_rng(0)
    x, kernel, w = rng.normal(size=shape), rng.normal(size=(3, 4)), rng.normal(size=(*shape[:-1], 4))
    as_float32 = [jnp.asarray(a, jnp.float32) for a in (x, kernel, w)]
    value, (dx, dkernel) = jax.value_and_grad(weighted(product, as_float32[2]), (0, 1))(*as_float32[:2])
    np.testing.assert_allclose(value, (x @ kernel * w).sum(), rtol=1e-5)
    np.testing.assert_allclose(dx, w @ kernel.T, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(dkernel, x.reshape(-1, 3).T @ w.reshape(-1, 4), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_the_layer_has_the_parameters_and_the_gradients_of_flax(dtype):
    x = jax.random.normal(jax.random.key(0), (2, 5, 3))
    own, theirs = Dense(4, dtype=dtype), linen.Dense(4, dtype=dtype)
    variables = own.init(jax.random.key(1), x)
    assert jax.tree.map(jnp.shape, variables) == jax.tree.map(jnp.shape, theirs.init(jax.random.key(1), x))

    def gradients(layer):
        return jax.grad(lambda v: jnp.sum(jnp.sin(layer.apply(v, x).astype(jnp.float32))))(variables)

    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), gradients(own), gradients(theirs))


def test_it_maps_over_several_kernels():
    x = jax.random.normal(jax.random.key(0), (6, 5, 3))
    kernels = jax.random.normal(jax.random.key(1), (6, 3, 4))

    def gradient(x, kernel):
        return jax.grad(lambda k: jnp.sum(product(x, k) ** 2))(kernel)

    alone = jnp.stack([gradient(*pair) for pair in zip(x, kernels, strict=True)])
    np.testing.assert_allclose(jax.vmap(gradient)(x, kernels), alone, rtol=1e-5)


def test_the_gradient_of_the_kernel_copies_no_activations():
    def gradient(dense):
        def total(x, kernel):
            return jnp.sum(jnp.tanh(dense(jnp.tanh(x), kernel)))

        shapes = jax.ShapeDtypeStruct((8, 16, 24), jnp.float32), jax.ShapeDtypeStruct((24, 40), jnp.float32)
        return jax.jit(jax.grad(total, (0, 1))).lower(*shapes).compile().as_text()

    transposed = re.compile(r"f32\[(40|24),(128|8,16)\]")
    assert transposed.search(gradient(jnp.matmul)), "XLA's own form has changed: is `product` still needed?"
    assert not transposed.search(gradient(product))
