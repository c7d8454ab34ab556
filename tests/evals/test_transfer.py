import jax
import numpy as np
import pytest

from jssl import data, evals
from tests.evals.made_up import clusters


def data_set(seed=0, *, labelled=True):
    """Features of a few classes as inputs."""
    splits = clusters(seed, 80, 40)
    return data.DataSet(
        *(data.arrays(vector=x.features, **({"label": x.labels} if labelled else {})) for x in splits)
    )


def halves(inputs):
    return inputs[:, :8]


def test_the_measures_are_those_of_the_same_splits_under_the_sets_name():
    probe, knn = evals.linear_probe(labels=(20,), every=5), evals.knn(k=3)
    on_others = evals.on("others", data_set(), probe, knn, inputs="vector")
    train, test = (x._replace(features=halves(x.features)) for x in clusters(0, 80, 40))
    for moved, plain in zip(on_others, (probe, knn), strict=True):
        found = moved.run(jax.random.key(0), *moved.own(halves))
        expected = plain.run(jax.random.key(0), train, test)
        assert found == {f"others/{name}": value for name, value in expected.items()}
    assert [x.name for x in on_others] == ["others/linear", "others/knn"]
    assert [x.every for x in on_others] == [5, None]


def test_evaluations_of_one_set_share_its_features():
    first, second = evals.on("others", data_set(), evals.knn(), evals.collapse(), inputs="vector")
    assert first.own is second.own
    assert (first.baselines, second.baselines) == (True, False)


def test_examples_are_read_once_and_when_first_asked_for():
    reads = []

    class Source:
        def __len__(self):
            return 3

        def __getitem__(self, index):
            reads.append(index)
            return {"vector": np.full(2, index, np.float32)}

    (evaluation,) = evals.on("set", data.DataSet(Source(), Source()), evals.collapse(), inputs="vector")
    assert reads == []
    for _ in range(2):
        train, _ = evaluation.own(lambda inputs: inputs)
    assert reads == [0, 1, 2] * 2
    assert train.labels is None
    np.testing.assert_array_equal(train.features, [[0, 0], [1, 1], [2, 2]])


def test_without_labels_what_needs_them_says_so():
    (evaluation,) = evals.on("set", data_set(labelled=False), evals.knn(), inputs="vector")
    with pytest.raises(ValueError, match="training labels, got None"):
        evaluation.run(jax.random.key(0), *evaluation.own(halves))


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match='training and test examples of "set"'):
        evals.on("set", data_set()._replace(test=None), evals.knn())
    inner = evals.on("set", data_set(), evals.knn(), inputs="vector")
    with pytest.raises(ValueError, match="without data of their own, got set/knn"):
        evals.on("other", data_set(), *inner)
    (evaluation,) = evals.on("set", data_set(), evals.knn())
    with pytest.raises(ValueError, match=r"examples with \"image\", got \['label', 'vector'\]"):
        evaluation.own(halves)
