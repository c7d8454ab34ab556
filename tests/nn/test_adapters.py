import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx

from jssl import core, nn
from tests.nn.compiled import apply


class LinenNet(linen.Module):
    rate: float = 0.0

    @linen.compact
    def __call__(self, x, *, train: bool):
        x = linen.Dense(6, name="first")(x)
        x = linen.BatchNorm(not train, momentum=0.9, epsilon=1e-5, name="norm")(x)
        x = linen.Dropout(self.rate, deterministic=not train)(x)
        return linen.Dense(3, name="second")(x)


class NnxNet(nnx.Module):
    def __init__(self, rate: float, *, rngs: nnx.Rngs):
        self.first = nnx.Linear(4, 6, rngs=rngs)
        self.norm = nnx.BatchNorm(6, momentum=0.9, epsilon=1e-5, rngs=rngs)
        self.dropout = nnx.Dropout(rate, rngs=rngs)
        self.second = nnx.Linear(6, 3, rngs=rngs)

    def __call__(self, x):
        return self.second(self.dropout(self.norm(self.first(x))))


def pair(rate=0.0):
    return nn.linen(LinenNet(rate)), nn.nnx(lambda rngs: NnxNet(rate, rngs=rngs))


@pytest.fixture
def x():
    return jax.random.normal(jax.random.key(0), (8, 4))


def test_linen_and_nnx_are_equal(x):
    of_linen, of_nnx = pair()
    variables = of_linen.init(jax.random.key(1), x)
    batch_stats = variables.stats["batch_stats"]["norm"]
    twin = core.Variables(variables.params, {"norm": batch_stats})
    assert jax.tree.structure(of_nnx.init(jax.random.key(2), x)) == jax.tree.structure(twin)
    for train in (True, False):
        key = jax.random.key(3)
        y_linen, stats_linen = apply(of_linen, variables, x, train=train, key=key)
        y_nnx, stats_nnx = apply(of_nnx, twin, x, train=train, key=key)
        np.testing.assert_allclose(y_linen, y_nnx, rtol=1e-5, atol=1e-6)
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6),
            stats_linen["batch_stats"]["norm"],
            stats_nnx["norm"],
        )


@pytest.mark.parametrize("kind", [0, 1])
def test_statistics_move_in_training_only(x, kind):
    encoder = pair()[kind]
    variables = encoder.init(jax.random.key(1), x)
    _, kept = apply(encoder, variables, x, train=False)
    _, moved = apply(encoder, variables, x, train=True, key=jax.random.key(2))
    assert all(jax.tree.leaves(jax.tree.map(np.array_equal, kept, variables.stats)))
    assert not any(jax.tree.leaves(jax.tree.map(np.array_equal, moved, variables.stats)))


@pytest.mark.parametrize("kind", [0, 1])
def test_key_feeds_dropout_under_jit(x, kind):
    encoder = pair(0.5)[kind]
    variables = encoder.init(jax.random.key(1), x)
    run = jax.jit(lambda key: encoder.apply(variables, x, train=True, key=key)[0])
    np.testing.assert_array_equal(run(jax.random.key(2)), run(jax.random.key(2)))
    assert not np.array_equal(run(jax.random.key(2)), run(jax.random.key(3)))


def test_nnx_needs_a_key_where_it_draws(x):
    encoder = pair(0.5)[1]
    variables = encoder.init(jax.random.key(1), x)
    apply(encoder, variables, x, train=False)
    with pytest.raises(ValueError, match="key="):
        apply(encoder, variables, x, train=True)


def test_equal_keys_give_equal_weights(x):
    for encoder in pair():
        first, second = encoder.init(jax.random.key(1), x), encoder.init(jax.random.key(1), x)
        assert all(jax.tree.leaves(jax.tree.map(np.array_equal, first, second)))


def test_normalized_takes_raw_images():
    identity = core.Encoder(
        lambda key, x: core.Variables({}, {}), lambda variables, x, *, train, key=None: (x, variables.stats)
    )
    encoder = nn.normalized(identity, mean=(0.0, 0.5, 1.0), std=(1.0, 0.5, 2.0))
    raw = jnp.full((2, 1, 1, 3), 255, jnp.uint8)
    for image in (raw, jnp.ones((2, 1, 1, 3))):
        y, _ = apply(encoder, encoder.init(jax.random.key(0), image), image, train=False)
        np.testing.assert_allclose(y[0, 0, 0], [1.0, 1.0, 0.0], atol=1e-6)
    gray = nn.normalized(identity, mean=0.5, std=0.25)
    np.testing.assert_allclose(apply(gray, core.Variables({}, {}), raw, train=False)[0], 2.0, rtol=1e-6)
    with pytest.raises(ValueError, match="above 0"):
        nn.normalized(identity, mean=0.5, std=0.0)


def test_weights_to_start_from_are_read_also_while_init_is_traced(x):
    network = nn.mlp((5, 4))
    source = network.init(jax.random.key(3), x)

    def load(shapes):
        seen.append(jax.jit(lambda tree: jax.tree.map(lambda leaf: 2 * leaf, tree))(source))
        return seen[-1]

    seen = []
    encoder = nn.starting_from(network, load)
    jax.eval_shape(encoder.init, jax.random.key(0), x)
    found = jax.jit(encoder.init)(jax.random.key(0), x)
    assert len(seen) == 1
    assert all(jax.tree.leaves(jax.tree.map(lambda a, b: np.array_equal(a, 2 * b), found, source)))
    with pytest.raises(ValueError, match="weights of the network's shapes"):
        nn.starting_from(nn.mlp((6, 4)), load).init(jax.random.key(0), x)


def test_chain_is_one_after_the_other(x):
    first, second = nn.mlp((5, 4)), nn.linear(2)
    both = nn.chain(first=first, second=second)
    variables = both.init(jax.random.key(0), x)
    assert set(variables.params) == set(variables.stats) == {"first", "second"}
    y, stats = apply(both, variables, x, train=True)
    own = core.Variables(variables.params["first"], variables.stats["first"])
    hidden, own_stats = apply(first, own, x, train=True)
    expected, _ = apply(second, core.Variables(variables.params["second"], {}), hidden, train=True)
    np.testing.assert_allclose(y, expected, rtol=1e-6)
    assert all(jax.tree.leaves(jax.tree.map(np.array_equal, stats["first"], own_stats)))
    with pytest.raises(ValueError, match="at least one"):
        nn.chain()


def test_starting_from_given_weights(x):
    encoder, _ = pair()
    given = jax.tree.map(lambda leaf: leaf + 1.0, encoder.init(jax.random.key(5), x))
    seen = []

    def load(shapes):
        seen.append(jax.tree.map(lambda leaf: leaf.shape, shapes))
        return given

    started = nn.starting_from(encoder, load)
    for key in (0, 1):
        variables = jax.jit(started.init)(jax.random.key(key), x)
        for a, b in zip(jax.tree.leaves(variables), jax.tree.leaves(given), strict=True):
            np.testing.assert_array_equal(a, b)
    assert seen == [jax.tree.map(lambda leaf: leaf.shape, given)]
    np.testing.assert_array_equal(apply(started, given, x)[0], apply(encoder, given, x)[0])


def test_starting_from_weights_of_another_network_is_refused(x):
    wide = nn.linen(LinenNet()).init(jax.random.key(0), jnp.ones((2, 5)))
    started = nn.starting_from(nn.linen(LinenNet()), lambda shapes: wide)
    with pytest.raises(ValueError, match=r"weights of the network's shapes.*kernel"):
        started.init(jax.random.key(0), x)
