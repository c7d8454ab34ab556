import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from jssl import evals
from jssl.evals import linear
from tests.evals.made_up import clusters
from tests.traces import traces


def standardised(features):
    return (features - features.mean(0)) / features.std(0)


@pytest.mark.parametrize(("num", "dim"), [(200, 12), (40, 60)])
@pytest.mark.parametrize("l2", [1e-3, 1e-1])
def test_the_optimum_is_scikit_learns(num, dim, l2):
    train, _ = clusters(0, num, 10, dim=dim, spread=1.5)
    x = standardised(train.features * np.logspace(0, 2, dim)).astype(np.float32)
    weights = np.ones((1, num), np.float32)
    kernel, bias = evals.logistic_regression(
        jnp.asarray(x),
        jnp.asarray(train.labels),
        jnp.asarray(weights),
        jnp.array([l2]),
        num_classes=4,
        tolerance=1e-6,
        max_iterations=300,
    )
    reference = LogisticRegression(C=1 / (l2 * num), tol=1e-9, max_iter=10_000)
    reference.fit(x.astype(np.float64), train.labels)
    np.testing.assert_allclose(kernel[0].T, reference.coef_, atol=5e-4)
    # Biases are determined up to a constant.
    np.testing.assert_allclose(bias[0] - bias[0].mean(), reference.intercept_, atol=5e-4)


def test_weights_leave_examples_out_and_problems_do_not_mix():
    train, _ = clusters(1, 60, 10, dim=6, spread=1.0)
    x = standardised(train.features)
    chosen = np.arange(60) % 3 != 0
    l2 = 1e-2
    kernel, _ = evals.logistic_regression(
        jnp.asarray(x),
        jnp.asarray(train.labels),
        jnp.asarray(np.stack([np.ones(60), chosen]), jnp.float32),
        jnp.array([1e-1, l2]),
        num_classes=4,
        tolerance=1e-6,
        max_iterations=300,
    )
    for problem, (rows, strength) in enumerate([(np.ones(60, bool), 1e-1), (chosen, l2)]):
        reference = LogisticRegression(C=1 / (strength * rows.sum()), tol=1e-9, max_iter=10_000)
        reference.fit(x[rows].astype(np.float64), train.labels[rows])
        np.testing.assert_allclose(kernel[problem].T, reference.coef_, atol=5e-4)


def test_the_strength_with_the_lowest_loss_on_examples_held_out_is_chosen():
    train, test = clusters(2, 100, 1000, dim=50, spread=3.0)
    key = jax.random.key(0)
    chosen = evals.linear_fit(key, train.features, train.labels)
    assert chosen.l2 > 1e-3
    accuracies = {
        l2: float(evals.accuracy(evals.linear_predict(fit, test.features), test.labels))
        for l2 in (1e-5, float(chosen.l2))
        for fit in [evals.linear_fit(key, train.features, train.labels, l2=(l2,))]
    }
    assert accuracies[float(chosen.l2)] > accuracies[1e-5]


def test_the_standardisation_is_folded_into_the_classifier():
    train, test = clusters(3, 80, 20, spread=1.0)
    scale, shift = np.logspace(-3, 3, 16), np.linspace(-5, 5, 16)
    predictions = []
    for change in (lambda x: x, lambda x: (x * scale + shift).astype(np.float32)):
        fit = evals.linear_fit(jax.random.key(0), change(train.features), train.labels)
        predictions.append(evals.linear_predict(fit, change(test.features)))
    np.testing.assert_array_equal(*predictions)


@pytest.mark.parametrize("value", [0.0, 1e-3, 1e4])
def test_constant_features_say_nothing(value):
    train, test = clusters(4, 40, 12)
    constant = [np.full_like(split.features, value) for split in (train, test)]
    fit = evals.linear_fit(jax.random.key(0), constant[0], train.labels)
    assert np.isfinite(fit.kernel).all()
    np.testing.assert_allclose(fit.kernel, 0, atol=1e-6)
    assert len(set(evals.linear_predict(fit, constant[1]).tolist())) == 1


def test_constant_columns_beside_informative_ones_change_nothing():
    train, test = clusters(5, 60, 30, spread=1.0)
    wide = [
        np.concatenate([s.features, np.full((len(s.features), 3), 7e3, np.float32)], 1) for s in (train, test)
    ]
    plain = evals.linear_fit(jax.random.key(0), train.features, train.labels)
    padded = evals.linear_fit(jax.random.key(0), wide[0], train.labels)
    np.testing.assert_array_equal(
        evals.linear_predict(plain, test.features), evals.linear_predict(padded, wide[1])
    )


def test_the_probe_reports_each_budget_and_equal_keys_give_equal_figures_with_one_trace():
    train, test = clusters(6, 120, 50, spread=1.0)
    probe = evals.linear_probe(labels=(20, 60, None), num_subsets=2)
    with traces() as traced:
        results = [probe.run(jax.random.key(0), train, test) for _ in range(2)]
    names = {
        f"linear/{budget}/{measure}" for budget in (20, 60, "all") for measure in ("accuracy", "macro_f1")
    }
    assert set(results[0]) == names
    assert results[0] == results[1]
    assert traced["_fit"] == 3
    assert results[0]["linear/all/accuracy"] > 0.9
    assert probe.name == "linear"


def test_a_few_label_figure_is_the_mean_over_subsets_standardised_by_all_features():
    train, test = clusters(7, 120, 50, spread=2.0)
    key = jax.random.key(0)
    results = evals.linear_probe(labels=(20,), num_subsets=3, l2=(1e-2,)).run(key, train, test)
    accuracies = []
    for subset in evals.label_subsets(key, train.labels, budget=20, num=3):
        fit = evals.linear_fit(
            key, train.features[subset], train.labels[subset], l2=(1e-2,), unlabelled=train.features
        )
        accuracies.append(float(evals.accuracy(evals.linear_predict(fit, test.features), test.labels)))
    assert results["linear/20/accuracy"] == pytest.approx(np.mean(accuracies), abs=1e-6)


def test_many_examples_hold_one_fold_out(monkeypatch):
    monkeypatch.setattr(linear, "MANY", 50)
    jax.clear_caches()
    train, test = clusters(8, 100, 50, spread=0.3)
    assert (
        evals.linear_probe(labels=(None,)).run(jax.random.key(0), train, test)["linear/all/accuracy"] == 1.0
    )
    jax.clear_caches()


def test_wrong_arguments_are_refused():
    train, test = clusters(9, 40, 12)
    key = jax.random.key(0)
    with pytest.raises(ValueError, match="to the 40 training examples, got 100"):
        evals.linear_probe().run(key, train, test)
    with pytest.raises(ValueError, match="L2 strengths above 0"):
        evals.linear_probe(labels=(None,), l2=(0.0, 1.0)).run(key, train, test)
    with pytest.raises(ValueError, match="training labels, got None"):
        evals.linear_probe(labels=(None,)).run(key, train._replace(labels=None), test)
    with pytest.raises(ValueError, match="of the same dim"):
        evals.linear_probe(labels=(None,)).run(key, train, test._replace(features=test.features[:, :2]))
    broken = train.features.copy()
    broken[0, 0] = np.inf
    with pytest.raises(ValueError, match="finite training features, got 1 of 40"):
        evals.linear_probe(labels=(None,)).run(key, train._replace(features=broken), test)
