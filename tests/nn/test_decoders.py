import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import nn
from tests.nn.compiled import apply


@pytest.mark.parametrize("features", [(2, 6), (2, 3, 4, 6)])
def test_shapes_and_dtypes(features):
    decoder = nn.conv_decoder((12, 16, 3), width=4, stages=2, dtype=jnp.bfloat16)
    x = jax.random.normal(jax.random.key(0), features)
    variables = decoder.init(jax.random.key(1), x)
    y, stats = apply(decoder, variables, x, train=True)
    assert y.shape == (2, 12, 16, 3)
    assert y.dtype == jnp.bfloat16
    assert jax.tree.structure(stats) == jax.tree.structure(variables.stats)
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype(jnp.float32)}


def test_places_of_a_map_stay_where_they_are():
    """What changes in one corner of the features changes that corner of the picture alone."""
    decoder = nn.conv_decoder((16, 16, 1), width=4, stages=1)
    x = jax.random.normal(jax.random.key(0), (1, 8, 8, 3))
    variables = decoder.init(jax.random.key(1), x)
    a, _ = apply(decoder, variables, x)
    b, _ = apply(decoder, variables, x.at[0, 0, 0].add(1.0))
    changed = np.asarray(a != b)[0, ..., 0]
    assert changed[0, 0]
    assert not changed[6:].any()
    assert not changed[:, 6:].any()


def test_wrong_arguments():
    for options in ({"shape": (10, 8, 3), "stages": 2}, {"shape": (8, 8)}, {"shape": (8, 8, 3), "width": 0}):
        with pytest.raises(ValueError, match="expected"):
            nn.conv_decoder(**options)
    decoder = nn.conv_decoder((8, 8, 3), stages=2)
    with pytest.raises(ValueError, match="number of stages"):
        decoder.init(jax.random.key(0), jnp.zeros((1, 4, 4, 2)))
