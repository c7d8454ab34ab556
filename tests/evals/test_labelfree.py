import jax
import numpy as np
import pytest

from jssl import evals
from jssl.evals import labelfree


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def unit(x):
    x = x.astype(np.float64)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def test_rankme_equals_the_equation():
    x = normal(0, 60, 10) * np.logspace(0, -2, 10, dtype=np.float32)
    sigma = np.linalg.svd(x.astype(np.float64), compute_uv=False)
    p = sigma / sigma.sum() + 1e-7
    assert float(evals.rankme(x)) == pytest.approx(np.exp(-(p * np.log(p)).sum()), rel=1e-5)


@pytest.mark.parametrize("rank", [1, 3, 8])
def test_rankme_counts_equal_orthogonal_directions_at_any_scale(rank):
    directions = np.linalg.qr(normal(1, 20, 8))[0][:, :rank]
    x = np.concatenate([directions, np.zeros((20, 8 - rank), np.float32)], axis=1)
    for scale in (1e-4, 1.0, 1e4):
        assert float(evals.rankme(scale * x)) == pytest.approx(rank, rel=1e-3)


def test_feature_std_is_0_where_all_are_the_same_and_1_on_the_whole_sphere():
    assert float(evals.feature_std(np.ones((10, 5), np.float32))) == pytest.approx(0, abs=1e-6)
    assert float(evals.feature_std(np.zeros((10, 5), np.float32))) == 0
    x = 7 * normal(2, 5000, 32)
    assert float(evals.feature_std(x)) == pytest.approx(1, abs=0.01)
    expected = np.sqrt(32) * unit(x).std(0).mean()
    assert float(evals.feature_std(x)) == pytest.approx(expected, rel=1e-5)


def test_alignment_equals_the_equation():
    a, b = normal(3, 20, 6), normal(4, 20, 6)
    distance = np.linalg.norm(unit(a) - unit(b), axis=1)
    assert float(evals.alignment(a, b)) == pytest.approx((distance**2).mean(), rel=1e-5)
    assert float(evals.alignment(a, b, exponent=1.0)) == pytest.approx(distance.mean(), rel=1e-5)
    assert float(evals.alignment(a, 3 * a)) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("tile", [None, 3])
def test_uniformity_equals_the_equation_over_pairs(tile, monkeypatch):
    x = normal(5, 25, 6)
    if tile:
        monkeypatch.setattr(labelfree, "PAIRS", 25 * tile)
    z = unit(x)
    pairs = [np.sum((z[i] - z[j]) ** 2) for i in range(25) for j in range(i)]
    expected = np.log(np.mean(np.exp(-2 * np.array(pairs))))
    assert float(evals.uniformity(x)) == pytest.approx(expected, rel=1e-5)


def test_uniformity_is_0_for_collapsed_features_and_near_minus_4_on_the_sphere():
    assert float(evals.uniformity(np.ones((10, 4), np.float32))) == pytest.approx(0, abs=1e-5)
    assert float(evals.uniformity(np.zeros((10, 4), np.float32))) == pytest.approx(0, abs=1e-5)
    assert float(evals.uniformity(normal(6, 500, 256))) == pytest.approx(-4, abs=0.1)
    with pytest.raises(ValueError, match="two examples or more"):
        evals.uniformity(np.ones((1, 4), np.float32))


def measure(features, **options):
    split = evals.Split(None, features, None, **options)
    return evals.collapse(every=10).run(jax.random.key(0), split, split)


def test_sound_features_give_no_warning_and_need_no_labels():
    results = measure(normal(7, 300, 32))
    assert set(results) == {
        f"collapse/{name}" for name in ("rankme", "std", "uniformity", "dim", "not_finite")
    }
    assert evals.diagnose(results) == []


def test_views_give_the_alignment():
    x, views = normal(8, 30, 4), normal(9, 30, 2, 4)
    assert measure(x, views=views)["collapse/alignment"] == pytest.approx(
        float(evals.alignment(views[:, 0], views[:, 1])), rel=1e-6
    )


def direction(dim, rank):
    return normal(10, 300, rank) @ normal(11, rank, dim)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.ones((50, 16), np.float32), "Total collapse"),
        (np.zeros((50, 16), np.float32), "Total collapse"),
        (1 + 1e-3 * normal(12, 50, 16), "Total collapse"),
        (direction(128, 2), "Dimensional collapse"),
        (1 + 0.15 * normal(13, 300, 16), "crowd into one small region"),
        (np.where(np.arange(50)[:, None] < 5, np.nan, normal(14, 50, 16)), r"10.0 % of the features are not"),
    ],
)
def test_a_diagnosis_names_what_is_wrong_in_one_sentence(features, message):
    warnings = evals.diagnose(measure(features.astype(np.float32)))
    assert message in warnings[0]
    assert all((warning.endswith(".") and "try" in warning) or "check" in warning for warning in warnings)


def test_broken_features_give_only_finite_figures():
    results = measure(np.full((10, 4), np.inf, np.float32))
    assert results == {"collapse/dim": 4.0, "collapse/not_finite": 1.0}


def test_other_metrics_are_not_judged():
    assert evals.diagnose({"loss": 3.0, "knn/accuracy": 0.1, "collapse/std": float("nan")}) == []


def test_too_few_features_are_refused():
    with pytest.raises(ValueError, match="n of 2 or more"):
        measure(np.ones((1, 4), np.float32))
