from typing import NamedTuple

import jax
import numpy as np
import pytest
from scipy import stats

from jssl import evals


class Pairs(NamedTuple):
    first: list[str]
    second: list[str]
    scores: np.ndarray


@pytest.mark.parametrize("ties", [False, True])
def test_correlations_equal_scipys(ties):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 200))
    b += 0.5 * a
    if ties:
        a, b = a.round(), b.round(1)
    assert evals.spearman(a, b) == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-12)
    assert evals.pearson(a, b) == pytest.approx(stats.pearsonr(a, b).statistic, abs=1e-12)


def test_only_the_order_counts():
    a = np.array([0.1, 0.2, 0.9], np.float32)
    assert evals.spearman(a, np.exp(20 * a)) == 1.0
    assert evals.spearman(a, -a) == -1.0


def test_equal_numbers_have_no_correlation():
    assert np.isnan(evals.spearman(np.ones(4), np.arange(4.0)))
    assert np.isnan(evals.pearson(np.arange(4.0), np.full(4, 0.1)))


def test_cosines_equal_a_naive_reference():
    u, v = np.random.default_rng(1).normal(size=(2, 20, 8)).astype(np.float32)
    u[3] = 0
    norms = np.maximum(np.linalg.norm(u, axis=1) * np.linalg.norm(v, axis=1), 1e-30)
    np.testing.assert_allclose(evals.cosine_similarities(u, v), (u * v).sum(1) / norms, atol=1e-6)


def made_up(seed, num):
    """Texts are numbers in figures, the score falls with their distance."""
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(0, 100, (2, num))
    return Pairs([str(x) for x in a], [str(x) for x in b], -np.abs(a - b) - rng.integers(0, 30, num))


SETS = {"2012": {"a": made_up(0, 40), "b": made_up(1, 7)}, "2013": {"c": made_up(2, 20)}}


def angle(texts):
    return np.asarray([[float(text)] for text in texts], np.float32)


def embed(inputs):
    """Numbers from 0 to 100 as points on a quarter of a circle: cosines fall with the distance."""
    return np.concatenate([np.cos(inputs / 64), np.sin(inputs / 64)], axis=1)


def correlations(pairs):
    a, b = (np.array([float(text) for text in texts]) for texts in (pairs.first, pairs.second))
    return np.cos((a - b) / 64), pairs.scores


def figures(evaluation):
    return evaluation.run(jax.random.key(0), *evaluation.own(embed))


def test_all_joins_the_sets_of_a_group():
    joined = [np.concatenate(x) for x in zip(*map(correlations, SETS["2012"].values()), strict=True)]
    expected = [stats.spearmanr(*x).statistic for x in (joined, correlations(SETS["2013"]["c"]))]
    found = figures(evals.sts(SETS, angle, every=5))
    assert list(found) == ["sts/average/spearman", "sts/2012/spearman", "sts/2013/spearman"]
    np.testing.assert_allclose(list(found.values()), [np.mean(expected), *expected], atol=1e-3)


def test_mean_is_over_the_sets_of_a_group():
    apart = [[stats.spearmanr(*correlations(x)).statistic for x in group.values()] for group in SETS.values()]
    expected = [np.mean(group) for group in apart]
    found = figures(evals.sts(SETS, angle, aggregation="mean"))
    assert list(found) == [f"sts/{x}/mean_spearman" for x in ("average", "2012", "2013")]
    np.testing.assert_allclose(list(found.values()), [np.mean(expected), *expected], atol=1e-3)


def test_the_texts_are_encoded_once():
    calls = []

    def encode(texts):
        calls.append(len(texts))
        return angle(texts)

    evaluation = evals.sts(SETS, encode)
    assert figures(evaluation) == figures(evaluation)
    assert calls == [2 * (40 + 7 + 20)]


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="two lists of as many numbers"):
        evals.spearman(np.ones(3), np.ones(4))
    with pytest.raises(ValueError, match='aggregation "all" or "mean"'):
        evals.sts(SETS, angle, aggregation="wmean")
    with pytest.raises(ValueError, match="of two pairs or more each, got 2012/a: 1"):
        evals.sts({"2012": {"a": made_up(0, 1)}}, angle)
    with pytest.raises(ValueError, match="got none"):
        evals.sts({}, angle)
    broken = evals.sts(SETS, angle)
    with pytest.raises(ValueError, match="finite features of the sentences, got 134 of 134"):
        broken.own(lambda inputs: np.full((len(inputs), 2), np.nan, np.float32))
