from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import evals
from jssl.evals import nearest
from tests.evals.made_up import clusters
from tests.traces import traces

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "evals.npz")


def naive(train, labels, test, k, temperature):
    """One query and one neighbour at a time, in float64."""
    train, test = (x.astype(np.float64) / np.linalg.norm(x, axis=1, keepdims=True) for x in (train, test))
    predictions = []
    for query in test:
        similarity = train @ query
        votes = np.zeros(labels.max() + 1)
        for i in np.argsort(-similarity)[:k]:
            votes[labels[i]] += np.exp(similarity[i] / temperature)
        predictions.append(votes.argmax())
    return np.array(predictions)


@pytest.mark.parametrize(("k", "temperature"), [(1, 0.07), (20, 0.07), (5, 1.0)])
def test_knn_equals_a_naive_reference(k, temperature):
    train, test = clusters(0, 200, 50, dim=8, spread=1.5)
    predictions = evals.knn_predict(train.features, train.labels, test.features, k=k, temperature=temperature)
    expected = naive(train.features, train.labels, test.features, k, temperature)
    np.testing.assert_array_equal(predictions, expected)


@pytest.mark.parametrize("case", ["k=1,t=0.07", "k=20,t=0.07", "k=20,t=0.5", "k=200,t=0.1"])
def test_knn_equals_lightlys(case):
    k, temperature = (number.split("=")[1] for number in case.split(","))
    inputs = [GOLDEN[f"knn/{name}"] for name in ("train_features", "train_labels", "test_features")]
    predictions = evals.knn_predict(*inputs, k=int(k), temperature=float(temperature))
    np.testing.assert_array_equal(predictions, GOLDEN[f"knn/{case}"])


def test_tiles_do_not_change_the_predictions(monkeypatch):
    train, test = clusters(1, 64, 37, dim=8, spread=1.5)
    whole = evals.knn_predict(train.features, train.labels, test.features, k=5)
    monkeypatch.setattr(nearest, "SIMILARITIES", 64 * 5)
    jax.clear_caches()
    tiled = evals.knn_predict(train.features, train.labels, test.features, k=5)
    np.testing.assert_array_equal(tiled, whole)


@pytest.mark.parametrize(("n", "k"), [(1000, 3), (1003, 31), (1015, 31), (1000, 40), (40, 20)])
def test_the_largest_are_found_by_groups_and_without_a_sort(n, k):
    rows = jnp.asarray(np.random.default_rng(0).integers(0, 400, (4, n)), jnp.float32)
    find = jax.jit(jax.vmap(lambda x: nearest._largest(x, k)))
    assert " sort(" not in find.lower(rows).compile().as_text()
    for x, values, index in zip(*map(np.asarray, (rows, *find(rows))), strict=True):
        np.testing.assert_array_equal(values, np.sort(x)[::-1][:k])
        np.testing.assert_array_equal(x[index], values)
        assert len(set(index.tolist())) == k


def test_the_nearest_decides_at_a_temperature_where_the_plain_exponential_overflows():
    train = np.array([[1.0, 0.0], [0.9, 0.1], [0.9, 0.1]], np.float32)
    labels = np.array([0, 1, 1], np.int32)
    predictions = evals.knn_predict(train, labels, np.array([[1.0, 0.0]], np.float32), k=3, temperature=1e-3)
    assert predictions.tolist() == [0]


def test_the_evaluation_gives_accuracy_and_macro_f1_and_compiles_once():
    train, test = clusters(2, 100, 40, spread=0.1)
    evaluation = evals.knn(k=5, every=100)
    with traces() as traced:
        results = [evaluation.run(jax.random.key(seed), train, test) for seed in range(2)]
    assert results[0] == results[1] == {"knn/accuracy": 1.0, "knn/macro_f1": 1.0}
    assert traced["_vote"] == 1
    assert (evaluation.name, evaluation.every, evaluation.baselines) == ("knn", 100, True)
    assert evals.knn_accuracy(train.features, train.labels, test.features, test.labels, k=5) == 1.0


def test_a_class_absent_from_the_test_set_does_not_count():
    train, test = clusters(3, 100, 40, spread=0.1)
    kept = test.labels != 0
    fewer = evals.Split(None, test.features[kept], test.labels[kept])
    assert evals.knn(k=5).run(jax.random.key(0), train, fewer)["knn/macro_f1"] == 1.0


def test_zero_and_constant_features_are_classified():
    train, test = clusters(4, 30, 10)
    for value in (0.0, 3.0):
        same = [np.full_like(split.features, value) for split in (train, test)]
        assert evals.knn_predict(same[0], train.labels, same[1], k=3).shape == (10,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": 101}, "k from 1 to the 100 training examples, got k=101"),
        ({"k": 0}, "k from 1"),
        ({"temperature": 0.0}, "temperature above 0"),
    ],
)
def test_wrong_options_are_refused(change, message):
    train, test = clusters(5, 100, 40)
    with pytest.raises(ValueError, match=message):
        evals.knn_predict(train.features, train.labels, test.features, **change)


def test_wrong_arrays_are_refused():
    train, test = clusters(6, 100, 40)
    run = evals.knn().run
    key = jax.random.key(0)
    with pytest.raises(ValueError, match=r"training labels, got None"):
        run(key, train._replace(labels=None), test)
    with pytest.raises(ValueError, match=r"test labels of shape \(40,\)"):
        run(key, train, test._replace(labels=test.labels[:5]))
    with pytest.raises(ValueError, match="leave unlabelled examples out"):
        run(key, train._replace(labels=train.labels - 1), test)
    with pytest.raises(ValueError, match="of the same dim"):
        run(key, train, test._replace(features=test.features[:, :3]))
    broken = test.features.copy()
    broken[:3, 1] = np.nan
    with pytest.raises(ValueError, match=r"finite test features, got 3 of 40 rows"):
        run(key, train, test._replace(features=broken))
