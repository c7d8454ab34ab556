"""SimCSE's readings: a sentence twice, or the two views of an augment."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import losses, methods, nn, pretext
from jssl.core import Encoder, Variables

IDS = {"pad": 0, "special": (0, 2, 3)}
TOKENS = jnp.stack([jnp.array([2, *range(start, start + 8), 3, 0, 0]) for start in (10, 20, 30, 40)])


def one_hot():
    """An encoder without parameters to learn: the mean over a row counts its tokens."""

    def apply(variables, text, *, train, key=None):
        return jax.nn.one_hot(text.tokens, 50) * variables.params, {}

    return Encoder(lambda key, text: Variables(jnp.ones(()), {}), apply)


def loss_of(batch, **options):
    method = methods.simcse(encoder=one_hot(), pad=0, pool="mean", temperature=1.0, **options)
    params, state = method.init(jax.random.key(0), batch)
    return method.loss(params, state, batch, key=jax.random.key(1), step=jnp.zeros((), jnp.int32))[0]


def test_the_loss_is_that_of_the_two_views():
    rows = jnp.array([[10, 11, 12, 13]]) + 10 * jnp.arange(4)[:, None]
    found = loss_of({"tokens": rows}, augment=lambda key, row: jnp.stack([row[:2], row[1:3]]))
    z_a, z_b = (jax.nn.one_hot(rows[:, part], 50).mean(1) for part in (slice(0, 2), slice(1, 3)))
    expected = losses.info_nce(z_a, z_b, temperature=1.0)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_disjoint_halves_share_special_tokens_only():
    apart = loss_of({"tokens": TOKENS}, augment=partial(pretext.text.split_tokens, **IDS))
    alike = loss_of({"tokens": TOKENS})
    # No sentence has a token of another one, so disjoint halves cannot be told from those of others.
    assert apart > 0.95 * np.log(4) > alike


def test_pairs_are_not_augmented():
    augment = partial(pretext.text.split_tokens, **IDS)
    with pytest.raises(ValueError, match=r"rows of tokens \[batch, n\] for `augment`, got \(4, 2, 12\)"):
        loss_of({"tokens": jnp.stack([TOKENS, TOKENS], axis=1)}, augment=augment)


def test_an_augment_of_one_view_is_refused():
    method = methods.simcse(
        encoder=nn.text_transformer(50, 8, 1, 1, max_length=12, **nn.BERT),
        augment=partial(pretext.text.delete_tokens, **IDS),
    )
    with pytest.raises(ValueError, match=r"two views \[2, \.\.\.\]"):
        method.init(jax.random.key(0), {"tokens": TOKENS})
