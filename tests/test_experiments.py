"""Every experiment file: its options are documented, and two steps of it make a page."""

import dataclasses
import inspect
import json
import math
from pathlib import Path

import numpy as np
import pytest

import jssl
from jssl import data, evals, experiment

from . import runs
from .test_tuning import TUNED

ARGUMENTS = ("seed", "steps", "batch_size")
SMALL = {"steps": 2, "batch_size": 8, "depth": 1, "heads": 1, "preset": "small", "size": 32, "patch": 4}
SMALL |= {"stages": (1,), "projector_width": 8, "decoder_width": 32, "decoder_depth": 1}
SMALL |= {"predictor_width": 32, "predictor_depth": 1}
SMALL |= {"vocab_size": 400, "length": 32}


def defines_an_experiment(path):
    return f"\ndef {path.stem}(" in path.read_text()


FILES = [path for path in sorted((runs.ROOT / "experiments").glob("*.py")) if defines_an_experiment(path)]
each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
each_of_its_own = pytest.mark.parametrize(
    "path", [path for path in FILES if path.stem not in TUNED], ids=lambda path: path.stem
)


def noise(num, shape):
    """Images with labels from 0 to 9."""
    rng = np.random.default_rng(num)
    pictures = rng.integers(0, 256, (num, *shape)).astype(np.uint8)
    return data.arrays(image=pictures, label=(np.arange(num) % 10).astype(np.int32))


def noise_set(shape):
    return data.DataSet(noise(32, shape), noise(16, shape), tuple(f"class {index}" for index in range(10)))


@pytest.fixture(autouse=True)
def no_prepared_data(monkeypatch):
    """Data sets that are not inside jssl are colour images of noise."""

    def noise_of(name, data_dir=None, *, size=32):
        return noise_set((size, size, 3))

    monkeypatch.setattr(data, "dataset", noise_of)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A file of some chapters, a sentence a line, and the same tokenized by `data.text.store`."""
    folder = tmp_path_factory.mktemp("corpus")
    chapters = data.text.web_bible().train[:30]
    file = folder / "text.txt"
    file.write_text("\n\n".join("\n".join(chapter) for chapter in chapters), encoding="utf-8")
    tokenizer = data.text.train_wordpiece((verse for chapter in chapters for verse in chapter), size=400)
    return file, data.text.store(folder / "stored", chapters, tokenizer)


def is_of_text(factory):
    return {"text", "length"} & set(inspect.signature(factory).parameters)


def make(path, corpus):
    """The experiment with few steps, few channels and little text, or noise for data."""
    factory = experiment.find(path)
    offered = inspect.signature(factory).parameters
    # An attention head takes 32 channels.
    small = SMALL | {"width": 32 if "depth" in offered else 4}
    if "preset" not in offered:
        small["num_prototypes"] = 16
    if is_of_text(factory):
        small["text"], small["data_dir"] = map(str, corpus)
        made = factory(**{name: value for name, value in small.items() if name in offered})
        predicted = () if made.method.score is None else (evals.held_out(),)
        return dataclasses.replace(made, evals=predicted, log_every=1, save_every=1)
    made = factory(**{name: value for name, value in small.items() if name in offered})
    few = made.data if len(made.data.train) == 32 else noise_set(made.data.train[0]["image"].shape)
    # Those on ImageNet have the methods, and so the pictures, of those on CIFAR-10.
    measured = () if path.stem.endswith("imagenet") else (evals.knn(k=3),)
    return dataclasses.replace(made, data=few, evals=measured, log_every=1, save_every=1)


def test_there_are_experiments():
    assert "simclr_fashion_mnist" in [path.stem for path in FILES]


@each_file
def test_every_option_is_documented(path: Path):
    factory = experiment.find(path)
    offered = inspect.signature(factory).parameters
    assert set(ARGUMENTS) <= set(offered)
    assert "data_dir" in offered or is_of_text(factory)
    assert all(parameter.default is not parameter.empty for parameter in offered.values())
    description, _, documented = inspect.getdoc(factory).partition("Args:\n")
    assert description.split("\n")[0].endswith(".")
    named = [line.split(":")[0].strip() for line in documented.splitlines() if ": " in line]
    assert named == list(offered)
    module = inspect.getmodule(factory).__doc__
    assert module.split("\n")[0].endswith(".")


@each_of_its_own
def test_two_steps_make_a_page(path: Path, tmp_path: Path, corpus):
    finished = jssl.run(make(path, corpus), run_dir=tmp_path, mesh="data=1")
    assert finished.experiment.name == path.stem
    losses = [row["loss"] for row in runs.metrics(tmp_path) if "loss" in row]
    assert len(losses) == 2
    assert all(math.isfinite(loss) for loss in losses)
    assert (tmp_path / "report.html").stat().st_size > 0
    results = json.loads((tmp_path / "results.json").read_text())
    if is_of_text(experiment.find(path)):
        assert all(math.isfinite(row["trained"]) for row in results["rows"].values())
    elif finished.experiment.evals:
        assert 0 <= results["rows"]["knn/accuracy"]["trained"] <= 1
