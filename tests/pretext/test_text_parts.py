"""A row of tokens in two parts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.pretext import text

PAD, CLS, SEP = 0, 2, 3
IDS = {"pad": PAD, "special": (PAD, CLS, SEP)}


def parts(tokens, num, **options):
    """[num, 2, n] of one row."""
    make = jax.vmap(lambda key: text.split_tokens(key, jnp.array(tokens), **IDS, **options))
    return np.asarray(jax.jit(make)(jax.random.split(jax.random.key(0), num)))


def inside(part):
    """The tokens between the special ones, whose places are checked."""
    num = (part != PAD).sum()
    assert part[0] == CLS
    assert part[num - 1] == SEP
    assert (part[num:] == PAD).all()
    return part[1 : num - 1]


def test_each_token_is_in_one_part_and_order_stays():
    found = parts([CLS, *range(20, 60), SEP, PAD, PAD], 2000, rate=0.3)
    in_first = np.zeros(40)
    for first, second in found:
        both = inside(first), inside(second)
        assert all((np.diff(part) > 0).all() for part in both)
        np.testing.assert_array_equal(np.sort(np.concatenate(both)), np.arange(20, 60))
        in_first[both[0] - 20] += 1
    np.testing.assert_allclose(in_first / 2000, 0.3, atol=0.05)
    np.testing.assert_allclose(in_first.mean() / 2000, 0.3, atol=0.01)


@pytest.mark.parametrize("rate", [0.0, 0.5, 1.0])
def test_no_part_is_empty(rate):
    for first, second in parts([CLS, 20, 21, 22, SEP, PAD], 100, rate=rate):
        assert len(inside(first)) >= 1
        assert len(inside(second)) >= 1
        assert len(inside(first)) + len(inside(second)) == 3


def test_a_single_token_is_in_both():
    np.testing.assert_array_equal(parts([CLS, 20, SEP, PAD], 1), [[[CLS, 20, SEP, PAD]] * 2])
    np.testing.assert_array_equal(parts([CLS, SEP, PAD, PAD], 1), [[[CLS, SEP, PAD, PAD]] * 2])


def test_padding_is_in_no_part_even_where_it_is_not_named_as_special():
    row = jnp.array([20, 21, PAD, PAD])
    first, second = np.asarray(text.split_tokens(jax.random.key(0), row, pad=PAD, special=()))
    assert sorted([*first[first != PAD], *second[second != PAD]]) == [20, 21]


def test_another_rate_is_refused():
    with pytest.raises(ValueError, match=r"rate in \[0, 1\], got 1.5"):
        text.split_tokens(jax.random.key(0), jnp.array([20, 21]), pad=PAD, special=(), rate=1.5)
