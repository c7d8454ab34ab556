import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import nn
from tests.nn.compiled import apply


def count(params):
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def shapes(encoder, shape):
    return jax.eval_shape(lambda key: encoder.init(key, jnp.zeros(shape)), jax.random.key(0))


@pytest.mark.parametrize(
    ("encoder", "published"),
    [
        (nn.resnet18(), 11_176_512),
        (nn.resnet34(), 21_284_672),
        (nn.resnet50(), 23_508_032),
        (nn.resnet101(), 42_500_160),
        (nn.resnet152(), 58_143_808),
        (nn.resnet200(), 62_624_832),
        (nn.resnet50(width=128), 93_907_072),
    ],
    ids=["resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnet200", "resnet50x2"],
)
def test_parameter_counts(encoder, published):
    """Those of torchvision's, timm's and SimCLR's models without their classifiers."""
    assert count(shapes(encoder, (1, 32, 32, 3)).params) == published


@pytest.mark.parametrize(
    ("stem", "first_map"),
    [("cifar", (32, 32)), ("stride2", (16, 16)), ("imagenet", (8, 8)), ("patch4", (8, 8))],
)
def test_stems(stem, first_map):
    """The size of the first stage's maps, read from the program."""
    encoder = nn.resnet((1,), width=4, stem=stem)
    x = jnp.zeros((2, 32, 32, 1))
    variables = encoder.init(jax.random.key(0), x)
    y, _ = apply(encoder, variables, x, train=False)
    assert y.shape == (2, 4)
    text = jax.jit(lambda x: encoder.apply(variables, x, train=False)[0]).lower(x).as_text()
    assert f"2x{first_map[0]}x{first_map[1]}x4x" in text


@pytest.mark.parametrize(("stages", "block", "dim"), [((1, 1, 1), "basic", 32), ((1, 1), "bottleneck", 64)])
def test_features(stages, block, dim):
    encoder = nn.resnet(stages, block=block, width=8, stem="cifar", dtype=jnp.bfloat16)
    x = jax.random.uniform(jax.random.key(0), (4, 9, 9, 3))
    variables = encoder.init(jax.random.key(1), x)
    y, stats = apply(encoder, variables, x, train=True)
    assert y.shape == (4, dim)
    assert y.dtype == jnp.float32
    assert {leaf.dtype for leaf in jax.tree.leaves((variables, stats))} == {jnp.dtype(jnp.float32)}


def test_flatten_keeps_positions():
    x = jax.random.uniform(jax.random.key(0), (2, 28, 28, 1))
    flat, mean = (nn.resnet((1, 1), width=4, stem="patch4", pool=pool) for pool in ("flatten", "mean"))
    variables = flat.init(jax.random.key(1), x)
    y, _ = apply(flat, variables, x)
    assert y.shape == (2, 4 * 4 * 8)
    np.testing.assert_allclose(
        y.reshape(2, 16, 8).mean(1), apply(mean, variables, x)[0], rtol=1e-5, atol=1e-6
    )


def test_zero_init_makes_blocks_the_identity():
    x = jax.random.uniform(jax.random.key(0), (2, 8, 8, 3))
    deep, shallow = (nn.resnet((depth,), width=4, stem="cifar", zero_init_last=True) for depth in (3, 1))
    variables = deep.init(jax.random.key(1), x)
    y, _ = apply(deep, variables, x, train=False)
    np.testing.assert_allclose(y, apply(shallow, variables, x, train=False)[0], rtol=1e-6)


def test_batch_statistics_are_global():
    """A batch cut over 8 devices gives the statistics of the whole batch."""
    encoder = nn.resnet((1,), width=4, stem="cifar")
    x = jax.random.uniform(jax.random.key(0), (8, 8, 8, 3))
    variables = encoder.init(jax.random.key(1), x)
    mesh = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    sharded = jax.device_put(x, jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("data")))
    run = jax.jit(lambda x: encoder.apply(variables, x, train=True))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), run(x), run(sharded))


@pytest.mark.parametrize(
    "options",
    [{"stages": ()}, {"stages": (2, 0)}, {"width": 0}, {"block": "wide"}, {"stem": "none"}, {"pool": "max"}],
)
def test_wrong_arguments(options):
    with pytest.raises((ValueError, TypeError), match=r"expected|stem|block|pool"):
        nn.resnet(**options)
