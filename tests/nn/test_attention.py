import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import nn, ops
from jssl.nn.attention import weighted_values


def reference(q, k, v):
    q, k, v = (np.asarray(x, np.float64) for x in (q, k, v))
    out = np.zeros(q.shape)
    for b, h in np.ndindex(q.shape[0], q.shape[2]):
        logits = q[b, :, h] @ k[b, :, h].T / np.sqrt(q.shape[-1])
        weights = np.exp(logits - logits.max(1, keepdims=True))
        out[b, :, h] = weights / weights.sum(1, keepdims=True) @ v[b, :, h]
    return out


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_attend(dtype):
    q, k, v = jax.random.normal(jax.random.key(0), (3, 2, 5, 3, 4)).astype(dtype)
    out = jax.jit(nn.attend)(q, k, v)
    assert out.dtype == dtype
    np.testing.assert_allclose(
        np.asarray(out, np.float32), reference(q, k, v), atol=1e-5 if dtype == jnp.float32 else 3e-2
    )


def test_the_form_for_accelerators_is_the_same():
    q, k, v = jax.random.normal(jax.random.key(0), (3, 2, 5, 3, 4))
    np.testing.assert_allclose(jax.jit(jax.nn.dot_product_attention)(q, k, v), reference(q, k, v), atol=1e-5)
    exported = jax.export.export(jax.jit(nn.attend), platforms=["tpu"])(q, k, v)
    fused = jax.export.export(jax.jit(jax.nn.dot_product_attention), platforms=["tpu"])(q, k, v)
    count = "stablehlo.dot_general"
    assert exported.mlir_module().count(count) == fused.mlir_module().count(count) == 2


def test_a_network_takes_another_attention():
    x = jax.vmap(nn.patches(4))(jax.random.uniform(jax.random.key(0), (2, 8, 8, 3)))
    plain, other = nn.transformer(16, 1, 2), nn.transformer(16, 1, 2, attention=lambda q, k, v: 0 * v)
    variables = plain.init(jax.random.key(1), x)
    y, _ = jax.jit(lambda v: other.apply(v, x, train=False))(variables)
    assert not np.allclose(y, plain.apply(variables, x, train=False)[0])


def autodiff(q, k, v, mask, drop):
    logits = jnp.einsum("bnhd,bmhd->bhnm", q, k) / math.sqrt(q.shape[-1])
    weights = jax.nn.softmax(jnp.where(mask, logits, -jnp.inf))
    return jnp.einsum("bhnm,bmhd->bnhd", drop(weights), v)


@pytest.mark.parametrize("rate", [0.0, 0.4])
@pytest.mark.parametrize("causal", [False, True])
def test_values_and_gradients_are_those_of_autodiff(rate, causal):
    q, w = jax.random.normal(jax.random.key(0), (2, 2, 5, 3, 4))
    k, v = jax.random.normal(jax.random.key(1), (2, 2, 7, 3, 4))
    mask = jnp.ones((1, 1, 5, 7), bool)
    mask = jnp.tril(mask) if causal else mask
    key = jax.random.key(2) if rate else None

    def drop(weights):
        return ops.dropout(jax.random.clone(key), weights, rate) if rate else weights

    def total(attention):
        return lambda q, k, v: jnp.sum(attention(q, k, v) * w)

    value, found = jax.value_and_grad(
        total(lambda *qkv: weighted_values(*qkv, mask if causal else None, key, rate)), (0, 1, 2)
    )(q, k, v)
    expected, wanted = jax.value_and_grad(total(lambda *qkv: autodiff(*qkv, mask, drop)), (0, 1, 2))(q, k, v)
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), found, wanted)
