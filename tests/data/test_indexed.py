"""Examples that know their number, through subsets, batches and worker processes."""

import pickle

import numpy as np
import pytest

from jssl import data
from jssl.data.source import fetch


def source(num=10):
    return data.indexed(data.arrays(label=np.arange(num, dtype=np.int32) * 2))


def test_examples_carry_their_place():
    found = source()[3]
    assert (found["index"], found["label"]) == (3, 6)
    assert found["index"].dtype == np.int32
    assert found["index"].shape == ()
    assert source()[-1]["index"] == 9
    assert [int(example["index"]) for example in source()] == list(range(10))


def test_batches_carry_their_places():
    batch = fetch(source(), [7, 0, -1])
    np.testing.assert_array_equal(batch["index"], [7, 0, 9])
    np.testing.assert_array_equal(batch["label"], [14, 0, 18])
    assert batch["index"].dtype == np.int32


def test_every_example_of_an_epoch_comes_once():
    with_index = data.loader(source(12), batch_size=4, seed=0)
    batches = [next(with_index) for _ in range(3)]
    with_index.close()
    index = np.concatenate([batch["index"] for batch in batches])
    assert sorted(index.tolist()) == list(range(12))
    np.testing.assert_array_equal(np.concatenate([batch["label"] for batch in batches]), 2 * index)


def test_a_subset_is_indexed_by_its_own_places():
    part = data.indexed(data.subset(data.arrays(label=np.arange(10)), [8, 5, 2]))
    np.testing.assert_array_equal(data.as_arrays(part)["index"], [0, 1, 2])
    np.testing.assert_array_equal(data.as_arrays(part)["label"], [8, 5, 2])


def test_may_be_sent_to_workers():
    copy = pickle.loads(pickle.dumps(source()))
    assert copy[4]["index"] == 4


def test_a_second_index_is_refused():
    with pytest.raises(ValueError, match="index a source once"):
        data.indexed(source())[0]


def test_outside_of_the_source():
    with pytest.raises(IndexError):
        source()[10]
