"""What tokens see and what they don't, in text transformers of each kind."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import nn
from jssl.core import Text
from jssl.nn.attention import rotated, rotation
from tests.nn.compiled import apply
from tests.nn.texts import PRESETS, loud, segments, small, tokens


@pytest.mark.parametrize("preset", PRESETS)
def test_documents_in_one_row_are_as_those_in_rows_of_their_own(preset):
    encoder = small(preset)
    variables, row, lengths = loud(encoder), tokens(13), (5, 4, 1)
    packed, _ = apply(encoder, variables, Text(row[None], segments(*lengths, n=13)))
    documents = [row[begin : begin + length] for begin, length in zip((0, 5, 9), lengths, strict=True)]
    padded = jnp.stack([jnp.pad(document, (0, 8 - len(document))) for document in documents])
    each = jnp.concatenate([segments(length, n=8) for length in lengths])
    own, _ = apply(encoder, variables, Text(padded, each))
    found = jnp.concatenate([h[:length] for h, length in zip(own, lengths, strict=True)])
    np.testing.assert_allclose(found, packed[0, :10], rtol=1e-4, atol=1e-5)
    alone, _ = apply(encoder, variables, Text(documents[1][None]))
    np.testing.assert_allclose(alone[0], packed[0, 5:9], rtol=1e-4, atol=1e-5)


def influence(encoder, variables, text):
    """[n, n]: whether the state of a token (row) depends on the token in another place (column).

    All tokens of the text differ, so that each has its own row of the table.
    """

    def states(table):
        own = variables._replace(params={**variables.params, "tokens": table})
        return jnp.sin(encoder.apply(own, text, train=False)[0][0]).sum(1)

    jacobian = jax.jit(jax.jacrev(states))(variables.params["tokens"])
    return np.abs(jacobian).sum(2)[:, np.asarray(text.tokens[0])] > 0


N = 9
DISTANCE = np.arange(N)[:, None] - np.arange(N)[None]


@pytest.mark.parametrize("preset", PRESETS)
def test_who_sees_whom(preset):
    encoder = small(preset)
    text = Text(jnp.arange(1, N + 1)[None])
    seen = influence(encoder, loud(encoder), text)
    ahead = DISTANCE >= 0 if preset in ("gpt2", "decoder") else np.full((N, N), True)
    np.testing.assert_array_equal(seen, ahead)
    packed = influence(encoder, loud(encoder), text._replace(segments=segments(4, 3, n=N)))
    of = np.asarray(segments(4, 3, n=N)[0])
    np.testing.assert_array_equal(packed, ahead & (of[:, None] == of[None]))


@pytest.mark.parametrize(("depth", "reach"), [(1, 0), (2, 2), (3, 4), (4, 8)])
@pytest.mark.parametrize("preset", ["modern", "decoder"])
def test_layers_with_a_window_see_just_that_far(preset, depth, reach):
    """The first layer and the fourth see everything; the first one's attention is taken out here."""
    encoder = small(preset, depth=depth)
    variables = loud(encoder)
    variables.params["block0"]["attention"]["out"]["kernel"] *= 0
    seen = influence(encoder, variables, Text(jnp.arange(1, N + 1)[None]))
    ahead = DISTANCE >= 0 if preset == "decoder" else True
    np.testing.assert_array_equal(seen, (np.abs(DISTANCE) <= reach) & ahead)


@pytest.mark.parametrize("preset", PRESETS)
def test_padding_counts_for_nothing(preset):
    encoder = small(preset)
    variables, given = loud(encoder), segments(5, n=9)
    row, other = tokens(1, 9), tokens(1, 9, seed=1)
    other = jnp.where(given > 0, row, other)
    assert not np.array_equal(row, other)

    def loss(params, row):
        h, _ = encoder.apply(variables._replace(params=params), Text(row, given), train=True)
        return jnp.sum(jnp.where(given[..., None] > 0, jnp.sin(h), 0)), h[:, :5]

    run = jax.jit(jax.value_and_grad(loss, has_aux=True))
    (_, h), gradients = run(variables.params, row)
    (_, others), same = run(variables.params, other)
    np.testing.assert_array_equal(h, others)
    jax.tree.map(np.testing.assert_array_equal, gradients, same)
    whole, _ = apply(encoder, variables, Text(row, jnp.zeros_like(given)))
    assert np.isfinite(whole).all()


def test_rotation_is_by_complex_numbers_and_products_depend_on_distances():
    q, k = jax.random.normal(jax.random.key(0), (2, 1, 7, 2, 6))
    at = jnp.asarray([[0, 1, 2, 3, 30, 31, 500]])
    turn = rotation(at, 6, 1000.0)
    angles = np.asarray(at, np.float64)[0, :, None] / 1000.0 ** (np.arange(3) / 3)
    turned = (np.asarray(q)[..., :3] + 1j * np.asarray(q)[..., 3:]) * np.exp(1j * angles)[None, :, None]
    expected = np.concatenate([turned.real, turned.imag], axis=-1)
    np.testing.assert_allclose(rotated(q, turn), expected, atol=1e-4)

    def products(shift):
        turn = rotation(at + shift, 6, 1000.0)
        return jnp.einsum("bnhd,bmhd->bhnm", rotated(q, turn), rotated(k, turn))

    np.testing.assert_allclose(products(0), products(100), atol=1e-3)
    assert not np.allclose(products(0), jnp.einsum("bnhd,bmhd->bhnm", q, k), atol=0.1)


@pytest.mark.parametrize("preset", PRESETS)
def test_order_counts(preset):
    encoder = small(preset)
    variables, row = loud(encoder), tokens(1, 6)
    h, _ = apply(encoder, variables, Text(row))
    back, _ = apply(encoder, variables, Text(row[:, ::-1]))
    assert not np.allclose(h[:, -1], back[:, 0], atol=1e-2)


def test_types_are_0_where_none_are_given():
    encoder = small("bert")
    variables, row = loud(encoder), tokens(1, 6)
    h, _ = apply(encoder, variables, Text(row))
    np.testing.assert_array_equal(h, apply(encoder, variables, Text(row, types=jnp.zeros_like(row)))[0])
    assert not np.allclose(h, apply(encoder, variables, Text(row, types=jnp.ones_like(row)))[0], atol=0.1)


@pytest.mark.parametrize("unknown", [-1, 30, 10_000])
def test_a_number_that_is_no_token_gives_nan(unknown):
    encoder = small("gpt2")
    variables = loud(encoder)
    h, _ = apply(encoder, variables, Text(tokens(1, 6).at[0, 3].set(unknown)))
    assert np.isfinite(h[0, :3]).all() or np.isnan(h).all()
    assert np.isnan(h[0, 3:]).all()
    bert = small("bert")
    h, _ = apply(bert, loud(bert), Text(tokens(1, 6), types=jnp.full((1, 6), 2)))
    assert np.isnan(h).all()


def test_rows_may_be_shorter_but_not_longer_than_the_positions():
    encoder = small("bert")
    variables = loud(encoder)
    for n in (1, 16):
        assert apply(encoder, variables, Text(tokens(2, n)))[0].shape == (2, n, 16)
    with pytest.raises(ValueError, match="at most max_length=16 tokens, got 17"):
        apply(encoder, variables, Text(tokens(2, 17)))
    modern = small("modern")
    assert apply(modern, loud(modern), Text(tokens(2, 40)))[0].shape == (2, 40, 16)


@pytest.mark.parametrize(
    "options",
    [
        {"heads": 3},
        {"depth": 0},
        {"gelu": "fast"},
        {"dropout": 1.0},
        {"vocab_size": 0},
        {"max_length": -1},
        {"window": -1},
        {"global_every": 0},
        {"types": -1},
        {"rotary": 100.0, "heads": 16},
    ],
)
def test_wrong_arguments(options):
    with pytest.raises((ValueError, TypeError), match=r"expected|gelu"):
        nn.text_transformer(**{"vocab_size": 30, "dim": 16, "depth": 1, "heads": 4, **options})


SIZES = {
    "bert": ((30522, 768, 12, 12), {"max_length": 512, **nn.BERT}, 108_891_648),
    "roberta": ((50265, 768, 12, 12), {"max_length": 512, **nn.ROBERTA}, 124_055_040 - 2 * 768),
    "gpt2": ((50257, 768, 12, 12), {"max_length": 1024, **nn.GPT2}, 124_439_808),
    "modernbert": ((50368, 768, 22, 12), {"mlp_ratio": 2.25, "window": 64, **nn.MODERN}, 149_014_272),
}


@pytest.mark.parametrize("name", SIZES)
def test_published_parameter_counts(name):
    """Without pooler and head; RoBERTa's without two positions that are never used."""
    sizes, options, published = SIZES[name]
    encoder = nn.text_transformer(*sizes, **options)
    variables = jax.eval_shape(encoder.init, jax.random.key(0), Text(jnp.zeros((1, 4), jnp.int32)))
    assert sum(x.size for x in jax.tree.leaves(variables)) == published
