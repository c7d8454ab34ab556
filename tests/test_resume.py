"""A run that was stopped in any way goes on as if nothing had happened, bit for bit."""

import random
import shutil
import signal
import time

import numpy as np
import pytest

from . import runs, tiny

STEPS = 14


def assert_same_run(a, b, method):
    factory = tiny.FACTORIES[method]
    first, second = (runs.arrays(folder, factory, steps=STEPS) for folder in (a, b))
    assert first.keys() == second.keys()
    for path, array in first.items():
        np.testing.assert_array_equal(array, second[path], err_msg=path)
    assert runs.metrics(a) == runs.metrics(b)
    assert [row["step"] for row in runs.metrics(a) if "loss" in row] == list(range(1, STEPS + 1))


def stop_after(method, folder, step, signum):
    """Send a signal once `step` has been logged; returns what was printed and the exit status."""
    process = runs.start(method, folder, "--steps", str(STEPS))
    path = folder / "metrics.jsonl"
    deadline = time.monotonic() + 240
    while process.poll() is None and time.monotonic() < deadline:
        if path.exists() and any(row["step"] >= step for row in runs.metrics(folder)[:]):
            process.send_signal(signum)
            break
        time.sleep(0.005)
    printed, _ = process.communicate(timeout=240)
    return printed, process.returncode


@pytest.mark.slow
@pytest.mark.parametrize("method", tiny.FACTORIES)
def test_killed_and_terminated_runs_equal_an_uninterrupted_one(tmp_path, method):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    runs.finish(method, whole, "--steps", str(STEPS))
    step = random.randint(4, STEPS - 5)
    printed, status = stop_after(method, stopped, step, signal.SIGKILL)
    assert status == -signal.SIGKILL, (step, printed)
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
    assert "Going on from step 12 of 14." in printed
    assert_same_run(whole, torn, "simclr")


def close(a, b):
    for path in a:
        if a[path].dtype.kind == "f":
            scale = max(1e-2, float(np.abs(b[path]).max()))
            np.testing.assert_allclose(a[path], b[path], rtol=0, atol=2e-3 * scale, err_msg=path)
        else:
            np.testing.assert_array_equal(a[path], b[path], err_msg=path)


@pytest.mark.slow
@pytest.mark.parametrize("method", tiny.FACTORIES)
def test_a_run_moves_between_one_device_and_eight(tmp_path, method):
    """Plain SGD-like tolerance: Adam divides by small second moments, which amplifies float32's last bits."""
    one, eight, moved = tmp_path / "one", tmp_path / "eight", tmp_path / "moved"
    runs.finish(method, one, "--steps", str(STEPS), "--devices", "1")
    runs.finish(method, eight, "--steps", str(STEPS), "--devices", "8")
    for folder, devices in ((moved, ("1", "8")), (tmp_path / "back", ("8", "1"))):
        process = runs.start(method, folder, "--steps", str(STEPS), "--devices", devices[0])
        path = folder / "metrics.jsonl"
        while process.poll() is None and not (path.exists() and len(runs.metrics(folder)) > 5):
            time.sleep(0.005)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=240)
        printed = runs.finish(method, folder, "--steps", str(STEPS), "--devices", devices[1])
        assert "Going on from step" in printed
    factory = tiny.FACTORIES[method]
    expected = runs.arrays(one, factory, steps=STEPS)
    losses = [row["loss"] for row in runs.metrics(one) if "loss" in row]
    for folder in (eight, moved, tmp_path / "back"):
        close(runs.arrays(folder, factory, steps=STEPS), expected)
        other = [row["loss"] for row in runs.metrics(folder) if "loss" in row]
        np.testing.assert_allclose(other, losses, rtol=1e-4)
