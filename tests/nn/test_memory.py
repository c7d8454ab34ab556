import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import TypeCheckError

from jssl import losses, nn, train
from tests.nn.compiled import apply

WIDE = nn.mlp((256, 256, 256, 4), norm=None)


@pytest.fixture
def views():
    return jax.random.normal(jax.random.key(0), (24, 2, 5))


def contrast(encoder, variables, views):
    """A loss that couples all examples."""
    z, _ = encoder.apply(variables, views.reshape(-1, views.shape[-1]), train=True)
    z = z.reshape(len(views), 2, -1)
    return losses.nt_xent(z[:, 0], z[:, 1], temperature=0.5)


def value_and_gradient(encoder, variables, views):
    def loss(params):
        return contrast(encoder, variables._replace(params=params), views)

    return jax.jit(jax.value_and_grad(loss))(variables.params)


@pytest.mark.parametrize("saved", ["nothing", "dots", "dots_with_no_batch_dims"])
@pytest.mark.parametrize("num", [1, 3, 48])
def test_the_gradient_is_that_of_the_whole_batch(num, saved, views):
    encoder = nn.mlp((16, 4), norm="layer")
    variables = encoder.init(jax.random.key(1), views[:, 0])
    expected = value_and_gradient(encoder, variables, views)
    found = value_and_gradient(nn.in_pieces(encoder, num, saved=saved), variables, views)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), found, expected)


def test_examples_keep_their_places_in_trees():
    encoder = nn.transformer(8, 1, 2)
    keys = jax.random.split(jax.random.key(0))
    tokens = nn.patches(2)(jnp.zeros((4, 4, 1)))
    batch = tokens._replace(
        values=jax.random.normal(keys[0], (6, 4, 4)), positions=jax.random.uniform(keys[1], (6, 4, 2))
    )
    variables = encoder.init(jax.random.key(1), batch)
    expected, _ = apply(encoder, variables, batch)
    found, _ = apply(nn.in_pieces(encoder, 3), variables, batch)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_batch_norm_sees_one_part_after_the_other(views):
    encoder = nn.mlp((6, 4))
    x = views[:, 0]
    variables = encoder.init(jax.random.key(1), x)
    found, stats = apply(nn.in_pieces(encoder, 2), variables, x, train=True)
    expected = variables.stats
    for start in (0, 1):
        own = variables._replace(stats=expected)
        y, expected = apply(encoder, own, x[start::2], train=True)
        np.testing.assert_allclose(found[start::2], y, rtol=1e-5, atol=1e-6)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7), stats, expected)


def test_each_part_draws_its_own_numbers():
    encoder = nn.transformer(8, 2, 2, drop_path=0.9)
    tokens = nn.patches(2)(jnp.ones((4, 4, 1)))
    batch = jax.tree.map(lambda x: jnp.broadcast_to(x, (32, *x.shape)), tokens)
    variables = encoder.init(jax.random.key(1), batch)
    y, _ = apply(nn.in_pieces(encoder, 2), variables, batch, train=True, key=jax.random.key(2))
    assert not np.array_equal(y[::2], y[1::2])


def test_memory_is_that_of_a_part():
    x = jax.ShapeDtypeStruct((4096, 2, 32), jnp.float32)
    variables = WIDE.init(jax.random.key(0), jnp.zeros((2, 32)))

    def needed(encoder):
        gradient = jax.grad(lambda params, x: contrast(encoder, variables._replace(params=params), x))
        return jax.jit(gradient).lower(variables.params, x).compile().memory_analysis().temp_size_in_bytes

    assert needed(nn.in_pieces(WIDE, 16)) < needed(WIDE) / 2.5


def test_on_devices_each_part_has_a_share_of_all(views):
    mesh = train.device_mesh()
    encoder = nn.in_pieces(nn.mlp((16, 4), norm=None), 3)
    x = jax.ShapeDtypeStruct((48, 5), jnp.float32, sharding=train.batch_sharding(mesh))
    variables = encoder.init(jax.random.key(1), views[:, 0])

    def features(x):
        return encoder.apply(variables, x, train=True)[0]

    program = jax.jit(features, out_shardings=train.batch_sharding(mesh)).lower(x).compile().as_text()
    assert not [kind for kind in ("all-to-all", "all-gather", "collective-permute") if f" {kind}(" in program]


def test_what_does_not_fit(views):
    encoder = nn.mlp((4,), norm=None)
    with pytest.raises(ValueError, match="that 5 parts divide, got 24 examples"):
        apply(nn.in_pieces(encoder, 5), encoder.init(jax.random.key(0), views[:, 0]), views[:, 0])
    with pytest.raises(ValueError, match="1 part or more, got num=0"):
        nn.in_pieces(encoder, 0)
    with pytest.raises((ValueError, TypeCheckError), match="nothing"):
        nn.in_pieces(encoder, 2, saved="everything")
