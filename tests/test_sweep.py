"""Runs of one program equal the runs that train alone."""

import json
import math
import os
import signal
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import cli, evals, options, run
from jssl.sweep import sweep
from jssl.sweep.members import members
from jssl.sweep.number import Number
from jssl.sweep.together import InTurn, SideBySide
from jssl.train import Interrupted

from . import runs, tiny

STEPS = 8


def choices(**varied):
    """Arguments of `tiny.simclr` for each value."""
    fixed = {"data_dir": None, "seed": 0, "steps": STEPS, "batch_size": 16, "learning_rate": 1e-3}
    ((name, values),) = varied.items()
    return [fixed | {name: value} for value in values]


def assert_alone(folder, arguments, tmp_path, factory=tiny.simclr):
    """The run in the folder is the one that these arguments make alone."""
    alone = tmp_path / "alone" / folder.name
    run(factory(**arguments), run_dir=alone, mesh="data=1")
    expected = runs.arrays(alone, factory, **arguments)
    found = runs.arrays(folder, factory, **arguments)
    assert found.keys() == expected.keys()
    for path, array in expected.items():
        scale = float(np.abs(array).max(initial=0))
        np.testing.assert_allclose(found[path], array, rtol=0, atol=1e-3 * scale + 1e-6, err_msg=path)
    for ours, theirs in zip(runs.metrics(folder), runs.metrics(alone), strict=True):
        assert ours.keys() == theirs.keys()
        assert ours.get("loss", 0) == pytest.approx(theirs.get("loss", 0), rel=1e-4)


@pytest.mark.parametrize("kind", [InTurn, SideBySide])
def test_seeds_are_runs_of_their_own(tmp_path, monkeypatch, kind):
    monkeypatch.setattr("jssl.sweep.train.together", kind)
    arguments = choices(seed=[3, 5])
    found = sweep(tiny.swav, arguments, tmp_path)
    assert list(found) == ["seed=3", "seed=5"]
    assert_alone(tmp_path / "seed=5", arguments[1], tmp_path, tiny.swav)
    assert all(found[name].results["rows"] for name in found)


def test_learning_rates_are_runs_of_their_own(tmp_path):
    arguments = choices(learning_rate=[1e-3, 3e-2])
    found = sweep(tiny.simclr, arguments, tmp_path)
    assert_alone(tmp_path / list(found)[1], arguments[1], tmp_path)
    first, second = ([row.get("loss") for row in runs.metrics(tmp_path / name)] for name in found)
    assert first != second


def stopped_at_five(*, stop, **arguments):
    """The tiny experiment, sent a SIGTERM after its fifth step."""

    def kill(key, train, test):
        os.kill(os.getpid(), signal.SIGTERM)
        return {}

    experiment = tiny.simclr(**arguments)
    evaluation = evals.Eval("stop", kill, every=5, baselines=False)
    return replace(experiment, evals=(*experiment.evals, evaluation)) if stop else experiment


def test_a_sweep_goes_on_and_takes_in_others(tmp_path, monkeypatch):
    arguments = choices(seed=[0, 1])
    stopping = True

    def factory(**own):
        return stopped_at_five(stop=stopping, **own)

    with pytest.raises(Interrupted, match="after step 5"):
        sweep(factory, arguments, tmp_path)
    stopping = False
    more = choices(seed=[0, 1, 2])
    found = sweep(factory, more, tmp_path)
    assert list(found) == ["seed=0", "seed=1", "seed=2"]
    assert_alone(tmp_path / "seed=1", more[1], tmp_path)
    assert [row["step"] for row in runs.metrics(tmp_path / "seed=2") if "loss" in row] == list(range(1, 9))


def test_a_run_whose_loss_is_lost_does_not_take_the_others_along(tmp_path, capsys):
    arguments = choices(learning_rate=[1e-3, float("inf")])
    found = sweep(tiny.simclr, arguments, tmp_path)
    good, lost = found
    assert found[lost] is None
    assert f"{lost} is given up. The loss is nan" in capsys.readouterr().out
    losses = [row["loss"] for row in runs.metrics(tmp_path / good) if "loss" in row]
    assert len(losses) == STEPS
    assert np.isfinite(losses).all()


@pytest.mark.parametrize(
    ("varied", "message"),
    [
        ({"batch_size": [16, 32]}, r"not in batch_size \(16, 32\)"),
        ({"steps": [4, 8]}, "not in steps"),
        ({"seed": [1, 1]}, "Two runs of the sweep are equal"),
    ],
)
def test_what_is_not_one_program(varied, message):
    with pytest.raises(ValueError, match=message):
        members(tiny.simclr, choices(**varied))


def test_an_experiment_that_decides_by_a_number(tmp_path):
    def factory(**own):
        return tiny.simclr(**own) if own["learning_rate"] > 0.1 else tiny.mae(**own)

    with pytest.raises(
        ValueError, match=r"decides by the value of learning_rate, and not alike for 0.001, 1.0"
    ):
        sweep(factory, choices(learning_rate=[1e-3, 1.0]), tmp_path)


def test_an_experiment_whose_shapes_follow_from_a_number(tmp_path):
    def factory(**own):
        return replace(tiny.simclr(**own), keep=int(100 * own["learning_rate"]))

    with pytest.raises(ValueError, match="needs the value of learning_rate itself"):
        sweep(factory, choices(learning_rate=[1e-1, 1.0]), tmp_path)


@pytest.mark.parametrize("value", [0.1, 3.0])
def test_a_number_of_a_sweep_is_known_and_traced(value):
    def compute(traced):
        number = Number("x", traced, [0.1, 3.0])
        array = jnp.array([1.0, 2.0])
        assert number > 0
        assert not number <= 0
        assert 2 * number < 10 + number**2
        assert number == number
        assert min(number, 5.0) is number
        with pytest.raises(ValueError, match="decides by the value of x"):
            bool(number < 1)
        with pytest.raises(ValueError, match="needs the value of x itself"):
            math.ceil(number)
        with pytest.raises(ValueError, match="needs the value of x itself"):
            np.full(3, 2.0) + np.asarray(number)
        computed = [
            array * number,
            number / array,
            1 - number,
            -number,
            abs(number - 2),
            number % 2,
            2**number,
        ]
        computed += [jnp.exp(number), jnp.where(array > 1, number, 0.0), jnp.maximum(number, 1.0)]
        return [jnp.asarray(x) for x in computed], number < array

    computed, below = jax.jit(compute)(jnp.float32(value))
    array = np.array([1.0, 2.0])
    expected = [array * value, value / array, 1 - value, -value, abs(value - 2), value % 2, 2**value]
    expected += [np.exp(value), np.where(array > 1, value, 0.0), max(value, 1.0)]
    for found, known in zip(computed, expected, strict=True):
        np.testing.assert_allclose(found, known, rtol=1e-6)
    np.testing.assert_array_equal(below, value < array)


def test_combinations_are_all_of_them():
    words = ["--seed", "0,1", "--mesh", "data=2,fsdp=4", "--rate", "1,2"]
    assert options.combinations(words) == [
        ["--seed", seed, "--mesh", "data=2,fsdp=4", "--rate", rate] for seed in "01" for rate in "12"
    ]


def test_the_command_draws_a_page_of_all(tmp_path, monkeypatch, capsys):
    path, folder = tmp_path / "swept.py", tmp_path / "runs"
    path.write_text("from tests.tiny import simclr as swept\n")
    words = ["sweep", path, "--seed", "0,1", "--steps", "4", "--run-dir", folder]
    monkeypatch.setattr("sys.argv", ["jssl", *map(str, words)])
    cli.main()
    printed = capsys.readouterr().out
    assert "seed=0" in printed
    assert "knn/accuracy" in printed
    page = (folder / "report.html").read_text()
    assert "2 runs side by side" in page
    assert 'href="seed=1/report.html"' in page
    assert page.count('class="mean"') >= 2 * 3
    assert json.loads((folder / "seed=1" / "config.json").read_text())["arguments"]["seed"] == 1
