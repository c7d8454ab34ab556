import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import ops


@pytest.mark.parametrize("decay", [0.0, 0.9, 0.999, 1.0])
@pytest.mark.parametrize("traced", [False, True])
def test_ema_equals_numpy(decay, traced):
    target, online = ({"w": jnp.full((2, 3), x), "b": (jnp.array(x),)} for x in (5.0, -1.0))
    update = jax.jit(ops.ema) if traced else ops.ema
    averaged = update(target, online, decay=decay)
    for leaf in jax.tree.leaves(averaged):
        np.testing.assert_allclose(leaf, decay * 5.0 - (1 - decay), rtol=1e-4)


def test_ema_keeps_the_dtypes_of_the_target():
    target = {"w": jnp.ones(3, jnp.float32), "v": jnp.ones(3, jnp.bfloat16)}
    online = {"w": jnp.ones(3, jnp.bfloat16), "v": jnp.ones(3, jnp.float32)}
    averaged = ops.ema(target, online, decay=jnp.float32(0.5))
    assert jax.tree.map(lambda x: x.dtype, averaged) == jax.tree.map(lambda x: x.dtype, target)


def test_ema_of_different_trees_is_an_error():
    with pytest.raises(ValueError, match="key"):
        ops.ema({"w": jnp.ones(3)}, {"v": jnp.ones(3)}, decay=0.5)
