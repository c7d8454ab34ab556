import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import nn
from tests.nn.compiled import apply


@pytest.mark.parametrize(
    ("encoder", "published"),
    [
        (nn.convnext_tiny(), 27_820_128),
        (nn.convnext_small(), 49_454_688),
        (nn.convnext_base(), 87_566_464),
    ],
    ids=["tiny", "small", "base"],
)
def test_parameter_counts(encoder, published):
    """Those of timm's models without their classifiers."""
    shapes = jax.eval_shape(lambda key: encoder.init(key, jnp.zeros((1, 32, 32, 3))), jax.random.key(0))
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes.params)) == published


def test_features_and_dtypes():
    encoder = nn.convnext((1, 1), (4, 8), patch=2, dtype=jnp.bfloat16)
    x = jax.random.uniform(jax.random.key(0), (2, 9, 8, 1))
    variables = encoder.init(jax.random.key(1), x)
    y, stats = apply(encoder, variables, x, train=True)
    assert (y.shape, y.dtype, stats) == ((2, 8), jnp.float32, {})
    assert {leaf.dtype for leaf in jax.tree.leaves(variables.params)} == {jnp.dtype(jnp.float32)}


def test_drop_path_leaves_out_whole_blocks():
    x = jax.random.uniform(jax.random.key(0), (4, 8, 8, 3))
    encoder = nn.convnext((2,), (4,), drop_path=0.9, layer_scale=100.0)
    variables = encoder.init(jax.random.key(1), x)
    shallow, _ = apply(nn.convnext((1,), (4,), layer_scale=100.0), variables, x)
    runs = [apply(encoder, variables, x, train=True, key=jax.random.key(i))[0] for i in range(8)]
    dropped = sum(np.allclose(run[e], shallow[e], atol=1e-5) for run in runs for e in range(4))
    assert 22 <= dropped <= 32  # expected 0.9 of 32
    assert not np.allclose(apply(encoder, variables, x)[0], shallow, atol=1e-3)


@pytest.mark.parametrize(
    "options", [{"stages": (1,)}, {"patch": 0}, {"gelu": "fast"}, {"drop_path": 1.0}, {"widths": (4, 0)}]
)
def test_wrong_arguments(options):
    with pytest.raises((ValueError, TypeError), match=r"expected|gelu"):
        nn.convnext(**{"stages": (1, 1), "widths": (4, 8), **options})
