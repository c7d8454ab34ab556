"""A run that was stopped in any way goes on as if nothing had happened, bit for bit."""

import os
import random
import re
import shutil
import signal
import time
from dataclasses import replace

import numpy as np
import pytest

from jssl import evals, run
from jssl.train import Interrupted

from . import runs, tiny

STEPS = 30
MOVED = 14
TERMINATED = ("simclr", "deepcluster")
"""These are terminated once more on their way."""


def assert_same_run(a, b, method):
    factory = tiny.FACTORIES[method]
    first, second = (runs.arrays(folder, factory, steps=STEPS) for folder in (a, b))
    assert first.keys() == second.keys()
    for path, array in first.items():
        np.testing.assert_array_equal(array, second[path], err_msg=path)
    assert runs.metrics(a) == runs.metrics(b)
    assert [row["step"] for row in runs.metrics(a) if "loss" in row] == list(range(1, STEPS + 1))


def steps_logged(folder):
    """The steps of the whole rows; a row that is being written may be seen by half."""
    path = folder / "metrics.jsonl"
    text = path.read_text() if path.exists() else ""
    return [int(step) for step in re.findall(r'^\{"step": (\d+).*\}\n', text, re.MULTILINE)]


def stop_after(method, folder, step, signum):
    """Send a signal once `step` has been logged; returns what was printed and the exit status."""
    process = runs.start(method, folder, "--steps", str(STEPS))
    try:
        deadline = time.monotonic() + 240
        while process.poll() is None and time.monotonic() < deadline:
            if any(logged >= step for logged in steps_logged(folder)):
                process.send_signal(signum)
                break
            time.sleep(0.005)
        printed, _ = process.communicate(timeout=240)
    finally:
        process.kill()
    return printed, process.returncode


@pytest.mark.slow
@pytest.mark.parametrize("method", tiny.FACTORIES)
def test_a_killed_run_equals_an_uninterrupted_one(tmp_path, method):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    runs.finish(method, whole, "--steps", str(STEPS))
    # The first checkpoint, of step 3, is whole before the next, of step 6, is begun.
    step = random.randint(7, STEPS // 2)
    printed, status = stop_after(method, stopped, step, signal.SIGKILL)
    assert status == -signal.SIGKILL, (step, printed)
    if method in TERMINATED:
        printed, status = stop_after(method, stopped, step + 2, signal.SIGTERM)
        assert status == 128 + signal.SIGTERM, (step, printed)
        assert "The same command goes on from here." in printed
    assert "Going on from step" in runs.finish(method, stopped, "--steps", str(STEPS))
    assert_same_run(whole, stopped, method)


@pytest.mark.slow
def test_a_torn_newest_checkpoint_falls_back_and_says_so(tmp_path):
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    runs.finish("simclr", whole, "--steps", str(STEPS))
    shutil.copytree(whole, torn)
    for name in ("results.json", "report.html"):
        (torn / name).unlink()
    for path in (torn / "checkpoints" / str(STEPS) / "state").rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:10])
    printed = runs.finish("simclr", torn, "--steps", str(STEPS))
    assert f"Checkpoint {STEPS} cannot be read" in printed
    assert f"Going on from step {STEPS - 3} of {STEPS}." in printed
    assert_same_run(whole, torn, "simclr")


def stopped_at_eight(experiment):
    """The same experiment, sent a SIGTERM after its eighth step."""

    def stop(key, train, test):
        os.kill(os.getpid(), signal.SIGTERM)
        return {}

    return replace(experiment, evals=(*experiment.evals, evals.Eval("stop", stop, every=8, baselines=False)))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["simclr", "swav", "dino"])
def test_a_run_moves_between_one_device_and_eight(tmp_path, method):
    experiment = replace(tiny.FACTORIES[method](steps=MOVED), evals=())
    for first, second in ((1, 1), (8, 8), (1, 8), (8, 1)):
        folder = tmp_path / f"{first}{second}"
        if first != second:
            with pytest.raises(Interrupted, match="after step 8"):
                run(stopped_at_eight(experiment), run_dir=folder, mesh=f"data={first}")
        run(experiment, run_dir=folder, mesh=f"data={second}")
    expected = runs.arrays(tmp_path / "11", tiny.FACTORIES[method], steps=MOVED)
    for name in ("88", "18", "81"):
        found = runs.arrays(tmp_path / name, tiny.FACTORIES[method], steps=MOVED)
        assert found.keys() == expected.keys()
        for path, array in expected.items():
            scale = float(np.abs(array).max(initial=0))
            np.testing.assert_allclose(
                found[path], array, rtol=0, atol=1e-3 * scale + 1e-6, err_msg=f"{name} {path}"
            )
        for ours, theirs in zip(runs.metrics(tmp_path / name), runs.metrics(tmp_path / "11"), strict=True):
            assert ours["step"] == theirs["step"]
            assert ours.get("loss", 0) == pytest.approx(theirs.get("loss", 0), rel=1e-4)
