import math

import jax
import pytest

from jssl import evals


def test_perplexity_and_bits_per_byte_of_noise():
    nll = 1000 * math.log(256)
    assert evals.perplexity(nll, 1000) == pytest.approx(256)
    assert evals.bits_per_byte(nll, 1000) == pytest.approx(8)
    assert evals.perplexity(0.0, 3) == 1.0
    assert evals.perplexity(1e6, 3) == math.inf
    assert math.isnan(evals.perplexity(math.nan, 3))


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="tokens above 0, got 0"):
        evals.perplexity(1.0, 0)
    with pytest.raises(ValueError, match="bytes above 0, got -1"):
        evals.bits_per_byte(1.0, -1)
    with pytest.raises(ValueError, match="bytes_per_token above 0, got 0"):
        evals.held_out(bytes_per_token=0.0)


def test_held_out_names_what_follows_from_the_loss():
    run = evals.held_out(bytes_per_token=2.0).run
    key = jax.random.key(0)
    found = run(key, {"loss": math.log(16), "token/accuracy": 0.25})
    assert found["test/loss"] == math.log(16)
    assert found["test/token/accuracy"] == 0.25
    assert found["test/perplexity"] == pytest.approx(16)
    assert found["test/bits_per_byte"] == pytest.approx(2)
    assert evals.held_out().run(key, {"loss/masked": 1.0}) == {"test/loss/masked": 1.0}
