"""Accumulation is exact: a network that takes a batch in pieces has the whole batch's loss and gradients.

Rows have different numbers of tokens that count, so that a mean of the pieces' means would be wrong.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import methods, nn, pretext

VOCAB, LENGTH, ROWS = 30, 16, 8
PAD, CLS, SEP, MASK = 0, 1, 2, 3


def batch():
    """Rows of 3 to 16 tokens in sentences of three, each of a document of its own."""
    generator = np.random.default_rng(0)
    lengths = np.array([3, 16, 5, 12, 16, 4, 9, 7])[:, None]
    places = np.arange(LENGTH)[None]
    inside = places < lengths
    arrays = {
        "tokens": np.where(inside, generator.integers(4, VOCAB, (ROWS, LENGTH)), PAD),
        "segments": inside,
        "sentences": np.where(inside, 1 + places // 3, 0),
        "document": np.arange(ROWS),
    }
    return {name: jnp.asarray(x, jnp.int32) for name, x in arrays.items()}


def network(options, num, length=LENGTH):
    encoder = nn.text_transformer(VOCAB, 16, 2, 2, max_length=length, **options)
    return encoder if num == 1 else nn.in_pieces(encoder, num)


MASKED = partial(
    pretext.text.mask_tokens, rate=0.3, mask_id=MASK, vocab_size=VOCAB, special=(PAD, CLS, SEP, MASK)
)


def mlm(num):
    return methods.mlm(encoder=network(nn.BERT, num), head=nn.masked_head(), mask=MASKED, pad=PAD)


def clm(num):
    return methods.clm(encoder=network(nn.GPT2, num), pad=PAD)


def bert(num):
    return methods.bert(
        encoder=network(nn.BERT, num, LENGTH + 3),
        head=nn.masked_head(),
        pooler=nn.pooler(),
        pair=partial(pretext.text.sentence_pair, length=LENGTH + 3, cls=CLS, sep=SEP, pad=PAD),
        mask=MASKED,
        pad=PAD,
    )


def simcse(num):
    return methods.simcse(encoder=network(nn.BERT, num), pad=PAD, temperature=1.0)


def loss_and_gradients(method, params, state, batch):
    @jax.jit
    def run(params):
        def loss(params):
            return method.loss(params, state, batch, key=jax.random.key(1), step=jnp.zeros((), jnp.int32))

        return jax.value_and_grad(loss, has_aux=True)(params)

    (value, (_, metrics)), gradients = run(params)
    return {"loss": value, **metrics}, gradients


@pytest.mark.parametrize("make", [mlm, bert, clm, simcse])
def test_pieces_of_a_batch_are_the_batch(make):
    rows = batch()
    params, state = make(1).init(jax.random.key(0), rows)
    # Far from the start, where biases are 0 and all scores are the same.
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(2), len(leaves))
    moved = [x + 0.2 * jax.random.normal(key, x.shape, x.dtype) for x, key in zip(leaves, keys, strict=True)]
    params = jax.tree.unflatten(tree, moved)
    expected = loss_and_gradients(make(1), params, state, rows)
    found = loss_and_gradients(make(4), params, state, rows)
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5 * float(jnp.abs(y).max()) + 1e-7),
        found,
        expected,
    )
