"""Examples that don't fit into memory: read chunk by chunk, with the same figures."""

import json

import jax
import numpy as np
import pytest

import jssl
from jssl import data, evals, evaluation, nn

from . import tiny


def brightness(inputs):
    """Features of an image: the mean of each row."""
    return inputs.mean((2, 3)).astype(np.float32)


def large_images(num=20, side=100):
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (num, side, side, 3)).astype(np.uint8)
    source = data.arrays(image=pictures, label=(np.arange(num) % 2).astype(np.int32))
    return data.DataSet(source, data.subset(source, 0.5), ("a", "b"))


def test_a_large_part_has_the_same_features_but_keeps_no_inputs(monkeypatch):
    small = evaluation.load_examples(tiny.tiny_data())
    monkeypatch.setattr(evaluation, "LIMIT", 0)
    large = evaluation.load_examples(tiny.tiny_data())
    assert small.in_memory
    assert not large.in_memory
    for kept, read in zip(small, large, strict=True):
        a, b = (evaluation.split(part, brightness) for part in (kept, read))
        np.testing.assert_array_equal(a.features, b.features)
        np.testing.assert_array_equal(a.labels, b.labels)
        np.testing.assert_array_equal(a.inputs, kept.first(10_000))
        assert b.inputs is None
        np.testing.assert_array_equal(kept.first(5), read.first(5))


def test_a_run_on_large_data_measures_the_same_without_raw_pixels(monkeypatch, tmp_path):
    results = {}
    for limit in (2**32, 0):
        monkeypatch.setattr(evaluation, "LIMIT", limit)
        jssl.run(tiny.simclr(steps=4), run_dir=tmp_path / str(limit), mesh="data=1")
        results[limit] = json.loads((tmp_path / str(limit) / "results.json").read_text())
    in_memory, read = results.values()
    assert evaluation.RAW in in_memory["columns"]
    assert read["columns"] == [column for column in in_memory["columns"] if column != evaluation.RAW]
    for measure, row in in_memory["rows"].items():
        row.pop(evaluation.RAW, None)
        assert read["rows"][measure] == pytest.approx(row)
    pages = [(tmp_path / str(limit) / "report.html").read_text() for limit in results]
    assert all("Map of the embeddings" in page and "sheet-examples" in page for page in pages)


def test_evaluations_that_need_inputs_say_so(monkeypatch):
    monkeypatch.setattr(evaluation, "LIMIT", 0)
    splits = [evaluation.split(part, brightness) for part in evaluation.load_examples(tiny.tiny_data())]
    scratch = evals.supervised(nn.resnet((1,), width=2), labels=(8,), num_subsets=1, steps=1)
    with pytest.raises(ValueError, match=r"expected training inputs, got features only.*leave this"):
        scratch.run(jax.random.key(0), *splits)


def test_without_labels_only_what_needs_none_is_measured():
    part = evaluation.Part(data.arrays(image=np.ones((3, 2, 2, 1), np.uint8)))
    split = evaluation.split(part, brightness)
    assert split.labels is None
    assert evals.collapse().run(jax.random.key(0), split, split)["collapse/dim"] == 2
    with pytest.raises(ValueError, match="training labels, got None"):
        evals.knn(k=1).run(jax.random.key(0), split, split)


def test_large_images_are_stored_small_for_the_page(tmp_path):
    examples = evaluation.load_examples(large_images())
    train, test = (evaluation.split(part, brightness) for part in examples)
    evaluation.write_arrays(tmp_path, train, test, examples.test.first(evaluation.PICTURED))
    stored = np.load(tmp_path / "embeddings.npz")
    assert stored["inputs"].shape == (10, 50, 50, 3)
    assert len(stored["features"]) == 10
