"""How good features are: neighbours, linear probes, few labels, and measures without labels.

Functions of arrays come first (`knn_predict`, `linear_fit`, `rankme`, ...); the evaluations that an
experiment names are thin factories over them (`knn`, `linear_probe`, `supervised`, `collapse`).
"""

from jssl.evals.embedding import embed_all
from jssl.evals.eval import Eval, Split
from jssl.evals.labelfree import alignment, collapse, diagnose, feature_std, rankme, uniformity
from jssl.evals.linear import LinearClassifier, linear_fit, linear_predict, linear_probe
from jssl.evals.logistic import logistic_regression
from jssl.evals.metrics import accuracy, confusion_matrix, macro_f1
from jssl.evals.nearest import knn, knn_accuracy, knn_predict
from jssl.evals.scratch import supervised
from jssl.evals.subsets import label_subsets

__all__ = [
    "Eval",
    "LinearClassifier",
    "Split",
    "accuracy",
    "alignment",
    "collapse",
    "confusion_matrix",
    "diagnose",
    "embed_all",
    "feature_std",
    "knn",
    "knn_accuracy",
    "knn_predict",
    "label_subsets",
    "linear_fit",
    "linear_predict",
    "linear_probe",
    "logistic_regression",
    "macro_f1",
    "rankme",
    "supervised",
    "uniformity",
]
