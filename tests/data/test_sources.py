"""Sources in memory, subsets, maps, caches, and how examples become batches."""

import pickle
import threading

import numpy as np
import pytest

from jssl import data
from jssl.data.source import fetch, stack


def images(num: int, size: int = 4) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (num, size, size, 3), np.uint8)


class Slow:
    """A source without a batched read, which counts what is read."""

    def __init__(self, num: int):
        self.num = num
        self.reads = 0

    def __len__(self) -> int:
        return self.num

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        self.reads += 1
        return {"image": np.full((2, 2, 1), index, np.int64), "label": np.asarray(index % 3, np.int32)}


def test_arrays_are_read_one_by_one_and_together():
    x = images(5)
    source = data.arrays(image=x, label=np.arange(5))
    assert isinstance(source, data.Source)
    assert len(source) == 5
    np.testing.assert_array_equal(source[3]["image"], x[3])
    np.testing.assert_array_equal(source[-1]["image"], x[4])
    np.testing.assert_array_equal(fetch(source, [4, 0, 4])["image"], x[[4, 0, 4]])
    assert [int(example["label"]) for example in source] == [0, 1, 2, 3, 4]


def test_arrays_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match=r"as many examples.*'label': 3"):
        data.arrays(image=images(4), label=np.arange(3))
    with pytest.raises(ValueError, match="leading axis"):
        data.arrays()
    with pytest.raises(ValueError, match="leading axis"):
        data.arrays(label=np.asarray(1))


def test_a_source_without_batched_reads_gives_the_same_batch():
    batch = fetch(Slow(6), [5, 2])
    np.testing.assert_array_equal(batch["image"][:, 0, 0, 0], [5, 2])
    np.testing.assert_array_equal(batch["label"], [2, 2])


def test_examples_of_several_shapes_say_which_name_and_what_to_do():
    with pytest.raises(ValueError, match=r'"image".*\(2, 2, 1\) and \(3, 2, 1\).*data.resize'):
        stack([{"image": np.zeros((3, 2, 1))}, {"image": np.zeros((2, 2, 1))}])


@pytest.mark.parametrize("num", [3, 512, 1100])
def test_as_arrays_decodes_all_in_order(num):
    source = Slow(num)
    arrays = data.as_arrays(source)
    assert source.reads == num
    assert arrays["image"].shape == (num, 2, 2, 1)
    np.testing.assert_array_equal(arrays["image"][:, 1, 1, 0], np.arange(num))


def test_as_arrays_limited_spreads_over_the_source():
    source = data.arrays(label=np.repeat(np.arange(10), 30))
    np.testing.assert_array_equal(data.as_arrays(source, limit=20)["label"], np.repeat(np.arange(10), 2))
    assert len(data.as_arrays(source, limit=1000)["label"]) == 300
    with pytest.raises(ValueError, match="at least one example"):
        data.as_arrays(source, limit=0)


def test_as_arrays_refuses_a_shape_or_dtype_that_changes_later_on():
    class Growing(Slow):
        def __getitem__(self, index):
            return {"image": np.zeros((1 if index < 512 else 2, 1))}

    class Widening(Slow):
        def __getitem__(self, index):
            return {"image": np.zeros(1, np.uint8 if index < 512 else np.float32)}

    for source in (Growing(1000), Widening(1000)):
        with pytest.raises(ValueError, match="one shape"):
            data.as_arrays(source)


def test_subset_by_indices_and_by_fraction():
    source = data.arrays(label=np.arange(100))
    np.testing.assert_array_equal(data.as_arrays(data.subset(source, [7, 3, 7]))["label"], [7, 3, 7])
    np.testing.assert_array_equal(data.as_arrays(data.subset(source, 0.1))["label"], np.arange(0, 100, 10))
    assert len(data.subset(source, 1.0)) == 100
    assert int(data.subset(source, np.arange(50, 60))[2]["label"]) == 52


@pytest.mark.parametrize("part", [0.0, 1.5, [100], [-1], [], np.ones((1, 1))])
def test_subset_refuses_what_is_not_in_the_source(part):
    with pytest.raises(ValueError, match="expected"):
        data.subset(data.arrays(label=np.arange(100)), part)


def test_mapped_applies_to_each_example():
    source = data.mapped(
        data.arrays(image=images(3, size=9)), lambda e: {"image": data.resize(e["image"], 4)}
    )
    assert fetch(source, [0, 2])["image"].shape == (2, 4, 4, 3)


def test_cached_decodes_once_and_late_even_from_many_threads():
    slow = Slow(50)
    source = data.cached(slow)
    assert slow.reads == 0
    threads = [threading.Thread(target=lambda: source[0]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert int(source[49]["label"]) == 49 % 3
    assert slow.reads == 50
    assert data.cached(source) is source


def test_cached_is_sent_to_workers_without_its_memory():
    source = data.cached(Slow(20))
    source[0]
    copy = pickle.loads(pickle.dumps(source))
    assert copy._decoded is None
    np.testing.assert_array_equal(data.as_arrays(copy)["image"], data.as_arrays(source)["image"])
