"""The loader: permutations, shares, resumption, threads and worker processes."""

import json
import time

import numpy as np
import pytest

from jssl import data
from jssl.data.pipeline import epoch_order, rows

NUM = 50


@pytest.fixture
def source():
    return data.arrays(image=np.arange(NUM * 4, dtype=np.uint8).reshape(NUM, 2, 2, 1), label=np.arange(NUM))


def take(batches, num):
    return [next(batches) for _ in range(num)]


def labels(batches, num):
    return np.concatenate([batch["label"] for batch in take(batches, num)])


def assert_equal(first, second):
    for a, b in zip(first, second, strict=True):
        assert set(a) == set(b)
        for name in a:
            np.testing.assert_array_equal(a[name], b[name])


def test_batches_are_whole_examples(source):
    batch = next(data.loader(source, batch_size=8, seed=0))
    assert batch["image"].shape == (8, 2, 2, 1)
    assert batch["image"].dtype == np.uint8
    np.testing.assert_array_equal(batch["image"][:, 0, 0, 0], (batch["label"] * 4).astype(np.uint8))


def test_each_epoch_is_another_permutation_across_batch_boundaries(source):
    seen = labels(data.loader(source, batch_size=8, seed=0), 25).reshape(4, NUM)
    np.testing.assert_array_equal(np.sort(seen, axis=1), np.tile(np.arange(NUM), (4, 1)))
    assert len({tuple(epoch) for epoch in seen}) == 4


def test_the_seed_decides_the_order(source):
    first, again, other = (labels(data.loader(source, batch_size=10, seed=s), 5) for s in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_order_is_the_same_for_ever():
    np.testing.assert_array_equal(epoch_order(0, 0, 8), [0, 2, 1, 5, 4, 3, 6, 7])


def test_the_order_has_no_bias():
    places = np.stack([epoch_order(0, epoch, 5) for epoch in range(4000)])
    counts = np.stack([np.bincount(place, minlength=5) for place in places.T])
    assert np.abs(counts / 800 - 1).max() < 0.15


@pytest.mark.parametrize("count", [1, 2, 4])
def test_shares_of_processes_make_the_same_global_batches(source, count):
    whole = take(data.loader(source, batch_size=12, seed=1), 6)
    shares = [
        take(data.loader(source, batch_size=12, seed=1, process_index=p, process_count=count), 6)
        for p in range(count)
    ]
    joined = [
        {n: np.concatenate([part[n] for part in step]) for n in step[0]} for step in zip(*shares, strict=True)
    ]
    assert_equal(whole, joined)


@pytest.mark.parametrize("threads", [1, 5])
def test_resumed_in_the_middle_of_an_epoch_equals_uninterrupted(source, threads):
    batches = data.loader(source, batch_size=8, seed=2, threads=threads)
    take(batches, 9)
    state = json.loads(json.dumps(batches.get_state()))
    expected = take(batches, 7)
    fresh = data.loader(source, batch_size=8, seed=2, threads=3)
    take(fresh, 2)
    fresh.set_state(state)
    assert fresh.get_state() == state
    assert_equal(take(fresh, 7), expected)
    batches.set_state(state)
    assert_equal(take(batches, 7), expected)


def test_worker_processes_give_the_same_batches_and_resume(source):
    expected = take(data.loader(source, batch_size=8, seed=2), 10)
    batches = data.loader(source, batch_size=8, seed=2, workers=2, threads=1)
    assert_equal(take(batches, 4), expected[:4])
    state = batches.get_state()
    batches.close()
    assert batches.get_state() == state
    batches.set_state(state)
    assert_equal(take(batches, 6), expected[4:])
    batches.close()


def test_a_state_can_go_to_another_number_of_processes(source):
    one = data.loader(source, batch_size=8, seed=0)
    take(one, 5)
    second = data.loader(source, batch_size=8, seed=0, process_index=1, process_count=2)
    second.set_state(one.get_state())
    np.testing.assert_array_equal(next(second)["label"], next(one)["label"][4:])


@pytest.mark.parametrize("changed", [{"seed": 1}, {"batch_size": 4}])
def test_a_state_of_another_stream_is_refused(source, changed):
    state = data.loader(source, **{"batch_size": 8, "seed": 0} | changed).get_state()
    with pytest.raises(ValueError, match="state of a loader with"):
        data.loader(source, batch_size=8, seed=0).set_state(state)


def test_a_transform_runs_on_each_example(source):
    def double(example):
        return {"label": example["label"] * 2}

    plain = labels(data.loader(source, batch_size=10, seed=0), 3)
    doubled = labels(data.loader(source, batch_size=10, seed=0, transform=double), 3)
    np.testing.assert_array_equal(doubled, plain * 2)


def test_slow_reads_in_threads_keep_the_order():
    class Uneven:
        def __len__(self):
            return NUM

        def __getitem__(self, index):
            time.sleep(0.0005 * (index % 5))
            return {"label": np.asarray(index)}

    plain = data.arrays(label=np.arange(NUM))
    uneven = labels(data.loader(Uneven(), batch_size=5, seed=0, threads=8), 30)
    np.testing.assert_array_equal(uneven, labels(data.loader(plain, batch_size=5, seed=0), 30))


def test_rows_can_be_far_away():
    far = rows(0, 10**12, 10**12 + 5, NUM)
    assert far.min() >= 0
    assert far.max() < NUM


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 51}, "batch_size from 1 to the source's 50"),
        ({"batch_size": 0}, "batch_size from 1"),
        ({"process_count": 3}, "3 processes can share.*9 would do"),
        ({"process_count": 2, "process_index": 2}, "process_index in"),
        ({"threads": 0}, "threads >= 1"),
        ({"workers": -1}, "workers >= 0"),
        ({"seed": -1}, "seed >= 0"),
    ],
)
def test_wrong_arguments_say_what_to_do(source, arguments, message):
    with pytest.raises(ValueError, match=message):
        data.loader(source, **{"batch_size": 10, "seed": 0} | arguments)
