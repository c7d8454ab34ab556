"""Measures of predictions: equal to scikit-learn's and seqeval's."""

from pathlib import Path

import jax
import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from jssl import data, evals
from jssl.data import text

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "entities.npz")
KEY = jax.random.key(0)


def test_classes_equal_scikit_learns():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, 300).astype(np.int32)
    predicted = np.where(rng.random(300) < 0.6, labels, rng.integers(0, 5, 300)).astype(np.int32)
    measured = evals.predicted_classes(every=3)
    assert (measured.every, measured.needs) == (3, "predictions")
    known = np.append(labels, [-1, -1]).astype(np.int32)
    found = measured.run(KEY, np.append(predicted, [0, 1]).astype(np.int32), known)
    assert found["test/label/accuracy"] == pytest.approx(accuracy_score(labels, predicted), abs=1e-6)
    expected = f1_score(labels, predicted, average="macro")
    assert found["test/label/macro_f1"] == pytest.approx(expected, abs=1e-6)
    with pytest.raises(ValueError, match="got none"):
        measured.run(KEY, predicted, np.full(300, -1, np.int32))


def sentences(case, name):
    tags = GOLDEN["tags"][GOLDEN[f"{case}/{name}"]]
    return [part.tolist() for part in np.split(tags, np.cumsum(GOLDEN[f"{case}/lengths"])[:-1])]


@pytest.mark.parametrize("case", ["alike", "different", "nothing predicted"])
def test_entities_equal_seqevals_from_the_predictions_for_tokens(case):
    true, predicted = (sentences(case, name) for name in ("true", "predicted"))
    kept = [place for place, tags in enumerate(true) if tags]
    true, predicted = [true[i] for i in kept], [predicted[i] for i in kept]
    names = evals.tag_names([*true, *predicted])
    words = [["word" * (1 + place % 2) for place in range(len(tags))] for tags in true]

    def rows(tagged):
        numbers = [[names.index(tag) for tag in tags] for tags in tagged]
        return data.as_arrays(text.tagged(words, numbers, text.byte_tokenizer(), 400))["labels"]

    labels, guesses = rows(true), rows(predicted)
    guesses[labels < 0] = 1  # what is said of other tokens doesn't count
    found = evals.predicted_tags(true, names).run(KEY, guesses, labels)
    measures = [found[f"test/entities/{name}"] for name in ("precision", "recall", "f1")]
    np.testing.assert_allclose(measures, GOLDEN[f"{case}/micro"][:3], rtol=1e-12)
    for kind, score in zip(GOLDEN[f"{case}/kinds"], GOLDEN[f"{case}/scores"], strict=True):
        assert found[f"test/entities/{kind}/f1"] == pytest.approx(score[2], rel=1e-12)


def test_words_that_were_cut_off_are_outside():
    names = ("O", "B-a")
    labels = np.array([[-1, 1, -1, 0], [1, -1, -1, -1]], np.int32)
    run = evals.predicted_tags([["B-a", "O", "B-a"], ["B-a"]], names).run
    found = run(KEY, np.array([[0, 1, 1, 0], [1, 0, 0, 0]], np.int32), labels)
    assert found["test/entities/precision"] == 1
    assert found["test/entities/recall"] == pytest.approx(2 / 3)
    with pytest.raises(
        ValueError, match=r"labels of the words' tags \['O', 'O'\], got those of \['B-a', 'O'\]"
    ):
        evals.predicted_tags([["O", "O"], ["B-a"]], names).run(KEY, labels, labels)
    with pytest.raises(ValueError, match="tags for 2 test examples, got 1"):
        evals.predicted_tags([["O"]], names).run(KEY, labels, labels)
