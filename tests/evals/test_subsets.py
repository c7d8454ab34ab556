import jax
import numpy as np
import pytest

from jssl import evals
from jssl.evals.subsets import fold_numbers


def labels(counts):
    return np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts)).astype(np.int32)


@pytest.mark.parametrize(
    ("counts", "budget", "expected"),
    [
        ([50, 50, 50], 30, [10, 10, 10]),
        ([50, 4, 50], 30, [13, 4, 13]),
        ([50, 4, 50], 104, [50, 4, 50]),
        ([5, 5, 5], 3, [1, 1, 1]),
    ],
)
def test_subsets_are_as_balanced_as_can_be(counts, budget, expected):
    y = labels(counts)
    for subset in evals.label_subsets(jax.random.key(0), y, budget=budget, num=3):
        assert len(set(subset.tolist())) == budget
        np.testing.assert_array_equal(np.bincount(y[subset]), expected)


def test_a_remainder_is_spread_over_classes():
    (subset,) = evals.label_subsets(jax.random.key(0), labels([20, 20, 20]), budget=31)
    assert sorted(np.bincount(labels([20, 20, 20])[subset])) == [10, 10, 11]


def test_a_subset_depends_on_key_budget_and_number_only():
    y = labels([30, 30])
    key = jax.random.key(0)
    three = evals.label_subsets(key, y, budget=10, num=3)
    np.testing.assert_array_equal(evals.label_subsets(key, y, budget=10, num=1), three[:1])
    assert len({tuple(subset) for subset in three}) == 3
    assert not np.array_equal(evals.label_subsets(jax.random.key(1), y, budget=10), three[:1])


def test_all_labels_are_one_subset():
    np.testing.assert_array_equal(
        evals.label_subsets(jax.random.key(0), labels([3, 3]), budget=None, num=5), [np.arange(6)]
    )


@pytest.mark.parametrize("budget", [61, 1])
def test_a_budget_that_cannot_be_met_is_refused(budget):
    with pytest.raises(ValueError, match=f"from 2 .* to the 60 training examples, got {budget}"):
        evals.label_subsets(jax.random.key(0), labels([30, 30]), budget=budget)


def test_folds_share_out_each_class():
    y = labels([50, 10, 25])
    folds = fold_numbers(jax.random.key(0), y, num=5)
    for fold in range(5):
        np.testing.assert_array_equal(np.bincount(y[folds == fold]), [10, 2, 5])
