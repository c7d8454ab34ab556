import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import nn


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
