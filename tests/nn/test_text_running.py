"""Text transformers in a loop, with dropout, a token at a time, in pieces, on devices, in bfloat16."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from jssl import nn
from jssl.core import Text
from tests.nn.compiled import apply
from tests.nn.texts import PRESETS, loud, segments, small, tokens

PACKED = Text(tokens(2, 9), jnp.concatenate([segments(4, 3, n=9), segments(9)]))


@partial(jax.jit, static_argnums=0)
def value_and_gradient(encoder, variables, text, key=None):
    def loss(params):
        h, _ = encoder.apply(variables._replace(params=params), text, train=True, key=key)
        return jnp.sum(jnp.sin(h))

    return jax.value_and_grad(loss)(variables.params)


def assert_close(found, expected):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3), found, expected)


@pytest.mark.parametrize(
    ("preset", "remat"),
    [("bert", "nothing"), ("gpt2", "dots"), ("modern", None), ("decoder", "dots"), ("gpt2", None)],
)
def test_blocks_in_a_loop_are_the_same_blocks(preset, remat):
    depth = 3 if preset in ("modern", "decoder") else 2
    plain, rolled = small(preset, depth=depth), small(preset, depth=depth, rolled=True, remat=remat)
    variables = loud(plain)
    assert jax.tree.all(jax.tree.map(np.array_equal, variables, loud(rolled)))
    for text in (PACKED, Text(PACKED.tokens)):
        assert_close(value_and_gradient(rolled, variables, text), value_and_gradient(plain, variables, text))


def test_one_block_in_a_loop():
    plain, rolled = small("modern", depth=1), small("modern", depth=1, rolled=True)
    variables = loud(plain)
    assert_close(apply(rolled, variables, PACKED)[0], apply(plain, variables, PACKED)[0])


@pytest.mark.parametrize(("preset", "rolled"), [("bert", False), ("decoder", True)])
def test_dropout_is_drawn_once_for_both_passes(preset, rolled):
    plain = small(preset, rolled=rolled, dropout=0.3)
    variables = loud(plain)
    found = value_and_gradient(plain, variables, PACKED, jax.random.key(3))
    again = small(preset, rolled=rolled, dropout=0.3, remat="nothing")
    assert_close(value_and_gradient(again, variables, PACKED, jax.random.key(3)), found)
    assert found[0] != value_and_gradient(plain, variables, PACKED, jax.random.key(4))[0]


@pytest.mark.parametrize("rolled", [False, True])
def test_no_dropout_but_in_training(rolled):
    plain, dropping = small("bert", rolled=rolled), small("bert", rolled=rolled, dropout=0.3)
    variables = loud(plain)
    np.testing.assert_array_equal(
        apply(plain, variables, PACKED)[0], apply(dropping, variables, PACKED, key=jax.random.key(0))[0]
    )


@pytest.mark.parametrize("preset", ["bert", "modern"])
def test_dropout_in_a_loop_is_as_random(preset):
    """Mean and spread over many equal rows; the loop's own keys give other numbers."""
    row = jnp.broadcast_to(tokens(1, 5), (2000, 5))
    moments = []
    for rolled in (False, True):
        encoder = small(preset, depth=3, rolled=rolled, dropout=0.2)
        h, _ = apply(encoder, loud(encoder), Text(row), train=True, key=jax.random.key(0))
        moments.append((np.mean(h, axis=0), np.std(h, axis=0)))
    (mean, spread), (rolled_mean, rolled_spread) = moments
    assert spread.min() > 0.01
    assert np.abs(mean - rolled_mean).max() < 6 * spread.max() / np.sqrt(1000)
    np.testing.assert_allclose(rolled_spread, spread, rtol=0.2)


@pytest.mark.parametrize("preset", ["gpt2", "decoder"])
def test_a_token_at_a_time_is_the_same_as_all_at_once(preset):
    """Rows of different lengths, each filled up to its end and beyond."""
    encoder = small(preset)
    variables, row, lengths = loud(encoder), tokens(3, 8), jnp.asarray([1, 3, 6])
    expected, _ = apply(encoder, variables, Text(row))
    begun = jnp.where(jnp.arange(8)[None] < lengths[:, None], row, 0)
    (h, cache), _ = apply(encoder, variables, nn.Prompt(begun, lengths))
    step = jax.jit(lambda following: encoder.apply(variables, following, train=False)[0])
    each = np.arange(3)
    for length in range(8):
        at = np.asarray(lengths) + length - 1
        there = at < 8
        np.testing.assert_array_equal(np.isnan(h).any(1), ~there)
        np.testing.assert_allclose(h[there], expected[each, at % 8][there], rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(cache.lengths, at + 1)
        h, cache = step(nn.Next(row[each, (at + 1) % 8], cache))


def test_only_a_network_that_does_not_look_ahead_goes_on():
    encoder = small("modern")
    with pytest.raises(ValueError, match="causal=True"):
        apply(encoder, loud(encoder), nn.Prompt(tokens(1, 4), jnp.ones(1, jnp.int32)))


@pytest.mark.parametrize("text", [PACKED, Text(PACKED.tokens)])
def test_in_pieces(text):
    encoder = small("bert")
    variables = loud(encoder)
    text = jax.tree.map(lambda x: jnp.concatenate([x, x[:, ::-1]]), text)
    whole = value_and_gradient(encoder, variables, text)
    assert_close(value_and_gradient(nn.in_pieces(encoder, 2), variables, text), whole)


@pytest.mark.parametrize(("preset", "rolled"), [("bert", False), ("decoder", True)])
def test_one_and_eight_devices(preset, rolled):
    encoder = small(preset, rolled=rolled, dropout=0.2)
    variables = loud(encoder)
    text = jax.tree.map(lambda x: jnp.tile(x, (4, 1)), PACKED)
    text = text._replace(tokens=tokens(8, 9))
    expected = value_and_gradient(encoder, variables, text, jax.random.key(0))
    mesh = jax.make_mesh((8,), ("devices",), axis_types=(AxisType.Auto,))
    place = lambda x, *axes: jax.device_put(x, NamedSharding(mesh, PartitionSpec(*axes)))  # noqa: E731
    with jax.set_mesh(mesh):
        key = place(jax.random.key(0))
        found = value_and_gradient(encoder, place(variables), place(text, "devices"), key)
    assert_close(found, expected)


@pytest.mark.parametrize("preset", PRESETS)
def test_bfloat16(preset):
    encoder = small(preset)
    variables = loud(encoder)
    h, _ = apply(encoder, variables, PACKED)
    half, _ = apply(small(preset, dtype=jnp.bfloat16), variables, PACKED)
    assert half.dtype == jnp.bfloat16
    error = np.abs(np.asarray(half, np.float32) - h)
    assert error.mean() < 0.02 * np.abs(h).mean()
    assert {x.dtype for x in jax.tree.leaves(variables)} == {jnp.dtype(jnp.float32)}
