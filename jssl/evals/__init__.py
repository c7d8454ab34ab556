"""How good features are: neighbours, linear probes, few labels, textual similarity, measures without labels.

Functions of arrays come first (`knn_predict`, `linear_fit`, `rankme`, ...); the evaluations that an
experiment names are thin factories over them (`knn`, `linear_probe`, `supervised`, `collapse`, `sts`),
and `on` runs them on other data than what is pretrained on.
`held_out`, `predicted_classes` and `predicted_tags` measure what the method itself says of test examples.
"""

from jssl.evals.bag import Bag, bag_of_words, fit_bag
from jssl.evals.embedding import embed_all
from jssl.evals.entities import (
    Entity,
    EntityScores,
    Score,
    entities,
    entity_scores,
    tag_names,
)
from jssl.evals.eval import Embed, Eval, Split
from jssl.evals.held_out import held_out
from jssl.evals.labelfree import alignment, collapse, diagnose, feature_std, rankme, uniformity
from jssl.evals.language import bits_per_byte, perplexity
from jssl.evals.linear import LinearClassifier, linear_fit, linear_predict, linear_probe
from jssl.evals.logistic import logistic_regression
from jssl.evals.metrics import accuracy, confusion_matrix, macro_f1
from jssl.evals.nearest import knn, knn_accuracy, knn_predict
from jssl.evals.predicted import predicted_classes, predicted_tags, word_tags
from jssl.evals.scratch import supervised
from jssl.evals.similarity import Likeness, cosine_similarities, pearson, spearman, sts, sts_score
from jssl.evals.subsets import label_subsets
from jssl.evals.transfer import on

__all__ = [
    "Bag",
    "Embed",
    "Entity",
    "EntityScores",
    "Eval",
    "Likeness",
    "LinearClassifier",
    "Score",
    "Split",
    "accuracy",
    "alignment",
    "bag_of_words",
    "bits_per_byte",
    "collapse",
    "confusion_matrix",
    "cosine_similarities",
    "diagnose",
    "embed_all",
    "entities",
    "entity_scores",
    "feature_std",
    "fit_bag",
    "held_out",
    "knn",
    "knn_accuracy",
    "knn_predict",
    "label_subsets",
    "linear_fit",
    "linear_predict",
    "linear_probe",
    "logistic_regression",
    "macro_f1",
    "on",
    "pearson",
    "perplexity",
    "predicted_classes",
    "predicted_tags",
    "rankme",
    "spearman",
    "sts",
    "sts_score",
    "supervised",
    "tag_names",
    "uniformity",
    "word_tags",
]
