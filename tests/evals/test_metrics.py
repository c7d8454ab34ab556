import jax
import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from jssl import evals


@pytest.mark.parametrize("num_classes", [2, 7])
def test_metrics_equal_scikit_learns(num_classes):
    rng = np.random.default_rng(num_classes)
    labels, predictions = rng.integers(0, num_classes, (2, 200)).astype(np.int32)
    assert float(evals.accuracy(predictions, labels)) == pytest.approx(accuracy_score(labels, predictions))
    expected = f1_score(labels, predictions, average="macro")
    assert float(evals.macro_f1(predictions, labels)) == pytest.approx(expected, abs=1e-6)
    np.testing.assert_array_equal(
        evals.confusion_matrix(predictions, labels), confusion_matrix(labels, predictions)
    )


def test_macro_f1_leaves_out_a_class_that_occurs_nowhere_and_counts_one_that_is_only_predicted():
    labels, predictions = np.array([0, 0, 2, 2]), np.array([0, 3, 2, 2])
    expected = f1_score(labels, predictions, average="macro")
    assert float(evals.macro_f1(predictions, labels, num_classes=9)) == pytest.approx(expected)
    assert expected == pytest.approx((2 / 3 + 1 + 0) / 3)


def test_macro_f1_runs_under_jit():
    labels = np.array([0, 1, 2, 2])
    compiled = jax.jit(lambda p, y: evals.macro_f1(p, y, num_classes=3))
    assert float(compiled(labels, labels)) == 1.0
