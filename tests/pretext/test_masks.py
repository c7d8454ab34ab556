"""Masks hide an exact number of tokens, each once, where their distribution says."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.pretext import block_mask, ibot_mask, random_mask
from jssl.pretext.masks import as_bool, num_masked


def keys(num):
    return jax.random.split(jax.random.key(0), num)


@pytest.mark.parametrize(
    ("num_tokens", "ratio", "hidden"),
    [(196, 0.75, 147), (64, 0.75, 48), (10, 0.9, 9), (7, 0.5, 4), (1568, 0.9, 1412)],
)
def test_counts_are_those_of_mae(num_tokens, ratio, hidden):
    assert num_masked(num_tokens, ratio) == hidden
    mask = random_mask(jax.random.key(0), num_tokens, ratio)
    assert mask.masked.shape == (hidden,)
    assert mask.visible.shape == (num_tokens - hidden,)


@pytest.mark.parametrize(("num_tokens", "ratio"), [(10, 0.0), (10, 1.0), (10, -0.1), (3, 0.999), (0, 0.5)])
def test_bad_ratios_are_refused(num_tokens, ratio):
    with pytest.raises(ValueError, match="expected"):
        num_masked(num_tokens, ratio)


@pytest.mark.parametrize(
    "arguments",
    [{"grid": ()}, {"grid": (0, 4)}, {"block": (0.0, 0.5)}, {"block": (0.5, 0.2)}, {"aspect": (-1.0, 2.0)}],
)
def test_bad_blocks_are_refused(arguments):
    with pytest.raises(ValueError, match="expected"):
        block_mask(jax.random.key(0), **({"grid": (4, 4), "ratio": 0.5} | arguments))


def make_random(key):
    return random_mask(key, 48, 0.6)


def make_block(key):
    return block_mask(key, (6, 8), 0.6)


def make_span(key):
    return block_mask(key, (48,), 0.6)


def make_tube(key):
    return block_mask(key, (3, 4, 4), 0.6)


@pytest.mark.parametrize("make", [make_random, make_block, make_span, make_tube])
def test_every_token_once_at_static_shapes(make):
    traces = []

    def traced(key):
        traces.append(key)
        return make(key)

    masks = jax.jit(jax.vmap(traced))(keys(64))
    assert len(traces) == 1
    assert masks.masked.shape == (64, 29)
    both = jnp.sort(jnp.concatenate([masks.visible, masks.masked], axis=1), axis=1)
    np.testing.assert_array_equal(both, np.broadcast_to(np.arange(48), (64, 48)))
    for indices in masks:
        assert bool(jnp.all(jnp.diff(indices, axis=1) > 0))
    hidden = jax.vmap(as_bool)(masks)
    np.testing.assert_array_equal(hidden.sum(axis=1), np.full(64, 29))
    assert len(np.unique(hidden, axis=0)) > 55


def test_random_masks_are_uniform():
    hidden = jax.vmap(lambda key: as_bool(make_random(key)))(keys(8000))
    np.testing.assert_allclose(hidden.mean(axis=0), 29 / 48, atol=0.025)
    together = np.corrcoef(np.asarray(hidden, np.float64).T)[np.triu_indices(48, 1)]
    np.testing.assert_allclose(together, -1 / 47, atol=0.05)


def agreement(hidden):
    """How often neighbours share their state."""
    return float((hidden[:, 1:] == hidden[:, :-1]).mean())


def test_blocks_hang_together():
    blocks = jax.jit(jax.vmap(lambda key: as_bool(block_mask(key, (14, 14), 0.4)).reshape(14, 14)))(keys(200))
    scattered = jax.jit(jax.vmap(lambda key: as_bool(random_mask(key, 196, 0.4)).reshape(14, 14)))(keys(200))
    for axis in (1, 2):
        assert agreement(np.swapaxes(np.asarray(blocks), 1, axis)) > 0.75
        assert agreement(np.swapaxes(np.asarray(scattered), 1, axis)) < 0.6


def test_one_block_of_the_right_size_is_a_rectangle():
    mask = block_mask(jax.random.key(3), (10, 10), 0.25, block=(0.25, 0.25), aspect=(1.0, 1.0))
    hidden = np.asarray(as_bool(mask)).reshape(10, 10)
    rows, columns = np.where(hidden)
    assert (np.ptp(rows), np.ptp(columns)) == (4, 4)


def test_ibot_hides_a_random_share_or_nothing():
    def make(key):
        return ibot_mask(key, (14, 14), ratio=(0.1, 0.5), probability=0.6)

    hidden, index = (np.asarray(x) for x in jax.jit(jax.vmap(make))(keys(2000)))
    assert hidden.shape == (2000, 196)
    assert index.shape == (2000, 98)
    counts = hidden.sum(axis=1)
    chosen = np.take_along_axis(hidden, index, axis=1)
    np.testing.assert_array_equal(chosen, np.arange(98)[None] < counts[:, None])
    assert all(len(set(row)) == 98 for row in index[:50])
    some = counts[counts > 0]
    np.testing.assert_allclose(len(some) / 2000, 0.6, atol=0.05)
    assert some.min() == 19
    assert some.max() == 97
    np.testing.assert_allclose(some.mean(), 0.3 * 196, rtol=0.05)
    np.testing.assert_allclose(hidden.mean(), 0.18, atol=0.01)
    blocks = hidden[counts > 0].reshape(-1, 14, 14)
    assert agreement(blocks) > 0.75
    assert agreement(np.swapaxes(blocks, 1, 2)) > 0.75


def test_ibot_hides_at_most_its_upper_bound():
    """Of 10 tokens 0.7 are 7, though 10 * 0.7 may lie a little below."""
    hidden, chosen = jax.vmap(lambda key: ibot_mask(key, (10,), ratio=(0.7, 0.7), probability=1.0))(keys(20))
    np.testing.assert_array_equal(hidden.sum(axis=1), 7)
    assert chosen.shape == (20, 7)
    assert not ibot_mask(jax.random.key(0), (4, 4), probability=0.0).hidden.any()


@pytest.mark.parametrize(
    "wrong",
    [
        {"grid": ()},
        {"grid": (4, 0)},
        {"ratio": (0.5, 0.1)},
        {"ratio": (0.1, 1.0)},
        {"ratio": (0.0, 0.05)},
        {"smallest": 0.0},
        {"aspect": (0.0, 1.0)},
    ],
)
def test_ibot_wrong_arguments(wrong):
    with pytest.raises(ValueError, match="ibot_mask expected"):
        ibot_mask(jax.random.key(0), **{"grid": (4, 4), **wrong})


def test_tokens_beyond_the_blocks_are_hidden_at_random():
    mask = block_mask(jax.random.key(3), (10, 10), 0.9, block=(0.04, 0.04), num_blocks=1)
    assert mask.masked.shape == (90,)
