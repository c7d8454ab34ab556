import math
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import evals
from tests.traces import traces


def model(seed=0, vocab=11):
    """Logits of the next token that depend on the last one only."""
    table = np.random.default_rng(seed).normal(size=(vocab, vocab)).astype(np.float32)

    @jax.jit
    def next_token_score(tokens, weights):
        log_p = jax.nn.log_softmax(jnp.asarray(table)[tokens[:, :-1]], axis=-1)
        nll = -jnp.take_along_axis(log_p, tokens[:, 1:, None], axis=-1)[..., 0]
        return jnp.sum(nll * weights[:, 1:]), jnp.sum(weights[:, 1:])

    return table, next_token_score


def naive(table, text):
    log_p = table.astype(np.float64)
    log_p = log_p - np.log(np.exp(log_p).sum(1, keepdims=True))
    return -sum(log_p[a, b] for a, b in pairwise(text))


@pytest.mark.parametrize(
    ("total", "length", "batch_size"), [(2, 1, 4), (101, 10, 4), (98, 7, 3), (50, 64, 2)]
)
def test_every_token_counts_once_however_the_rows_fall_into_batches(total, length, batch_size):
    table, score = model()
    text = np.random.default_rng(total).integers(0, 11, total).astype(np.int32)
    rows = evals.windows(text, length)
    assert rows.tokens.shape == (-(-(total - 1) // length), length + 1)
    with traces() as traced:
        found = evals.evaluate_rows(score, rows.tokens, rows.weights, batch_size=batch_size)
    assert traced["next_token_score"] == 1
    assert found.tokens == total - 1
    assert found.nll == pytest.approx(naive(table, text), rel=1e-5)
    assert found.mean == pytest.approx(found.nll / (total - 1))


def test_the_mean_is_over_tokens_not_over_batches():
    """Rows of unequal weight: the mean of the batches' means would be another number."""
    rows = np.array([[1, 1, 1, 1], [5, 0, 0, 0], [3, 3, 0, 0]], np.int32)
    weights = (rows > 0).astype(np.float32)

    def score(tokens, weights):
        return np.sum(tokens * weights), np.sum(weights)

    found = evals.evaluate_rows(score, rows, weights, batch_size=2)
    assert found == (15.0, 7.0)
    assert evals.evaluate_rows(score, rows, batch_size=3).tokens == 12.0


def test_perplexity_and_bits_per_byte_of_noise():
    nll = 1000 * math.log(256)
    assert evals.perplexity(nll, 1000) == pytest.approx(256)
    assert evals.bits_per_byte(nll, 1000) == pytest.approx(8)
    assert evals.perplexity(0.0, 3) == 1.0
    assert evals.perplexity(1e6, 3) == math.inf
    assert math.isnan(evals.perplexity(math.nan, 3))


def test_wrong_arguments_are_refused():
    _, score = model()
    with pytest.raises(ValueError, match="tokens above 0, got 0"):
        evals.perplexity(1.0, 0)
    with pytest.raises(ValueError, match="bytes above 0, got -1"):
        evals.bits_per_byte(1.0, -1)
    with pytest.raises(ValueError, match="two tokens or more"):
        evals.windows(np.zeros(1, np.int32), 4)
    rows = np.zeros((2, 3), np.int32)
    with pytest.raises(ValueError, match=r"expected rows .* got \(0, 3\)"):
        evals.evaluate_rows(score, rows[:0])
    with pytest.raises(ValueError, match="a sum of weights above 0, got 0"):
        evals.evaluate_rows(score, rows, np.zeros((2, 3), np.float32))
