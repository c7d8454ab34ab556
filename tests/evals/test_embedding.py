import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import evals


@pytest.mark.parametrize("num", [1, 7, 8, 9, 20])
def test_every_input_is_embedded_in_order_with_one_trace(num):
    traces = []

    @jax.jit
    def embed(x):
        traces.append(x.shape)
        return x.astype(jnp.bfloat16).reshape(len(x), -1) * 2

    inputs = np.arange(num * 4, dtype=np.uint8).reshape(num, 2, 2)
    features = evals.embed_all(embed, inputs, batch_size=8)
    np.testing.assert_array_equal(features, inputs.reshape(num, 4) * 2.0)
    assert isinstance(features, np.ndarray)
    assert features.dtype == np.float32
    assert traces == [(8, 2, 2)]


def test_no_inputs_are_refused():
    with pytest.raises(ValueError, match="one input or more"):
        evals.embed_all(lambda x: x, np.zeros((0, 3)))
