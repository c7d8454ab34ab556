import threading

import numpy as np
import pytest

from jssl import data


class Counting:
    """Numbers; remembers which were read, and fails at one of them."""

    def __init__(self, num, fails_at=None):
        self.num = num
        self.fails_at = fails_at
        self.read = []
        self.lock = threading.Lock()

    def __len__(self):
        return self.num

    def __getitem__(self, index):
        if index == self.fails_at:
            raise OSError("a broken file")
        with self.lock:
            self.read.append(index)
        return {"x": np.asarray(index)}


@pytest.mark.parametrize(("num", "size", "threads"), [(10, 4, 3), (8, 4, 1), (3, 8, 16)])
def test_every_example_comes_once_and_in_its_place(num, size, threads):
    chunks = list(data.in_order(Counting(num), size=size, threads=threads))
    assert [len(chunk["x"]) for chunk in chunks] == [size] * (num // size) + [num % size] * bool(num % size)
    assert np.concatenate([chunk["x"] for chunk in chunks]).tolist() == list(range(num))


def test_it_reads_no_further_ahead_than_it_has_threads():
    source = Counting(100)
    chunks = data.in_order(source, size=5, threads=2)
    next(chunks)
    chunks.close()
    assert set(range(5)) <= set(source.read) <= set(range(15))


def test_errors_of_the_source_come_out():
    with pytest.raises(OSError, match="broken"):
        list(data.in_order(Counting(100, fails_at=42), size=5))


@pytest.mark.parametrize("wrong", [{"size": 0}, {"threads": 0}])
def test_sizes_below_1_are_refused(wrong):
    with pytest.raises(ValueError, match="1 or more"):
        data.in_order(Counting(3), **wrong)
