"""Two processes on loopback, with four devices each, are one run."""

import signal
import socket
import time

import numpy as np
import pytest

from jssl import hosts, run

from . import runs, tiny
from .test_resume import steps_logged

STEPS = 10


def start_both(method, folder, steps=STEPS):
    """The same command in two processes, which find each other at a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        coordinator = f"127.0.0.1:{free.getsockname()[1]}"
    options = ["--steps", str(steps), "--mesh", "data=8", "--coordinator", coordinator]
    return [runs.start(method, folder, *options, "--process", f"{index}/2") for index in range(2)]


def ended(processes, timeout=240):
    """What each printed, and its exit status."""
    try:
        printed = [process.communicate(timeout=timeout)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    return printed, [process.returncode for process in processes]


def wait_for(folder, step, processes):
    """Until a step has been logged."""
    deadline = time.monotonic() + 240
    while not any(logged >= step for logged in steps_logged(folder)):
        assert time.monotonic() < deadline
        assert all(process.poll() is None for process in processes), ended(processes)
        time.sleep(0.005)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["simclr", "swav", "dino"])
def test_two_processes_train_as_one(method, tmp_path):
    printed, statuses = ended(start_both(method, tmp_path / "two"))
    assert statuses == [0, 0], printed
    assert ["knn/accuracy" in text for text in printed] == [True, False], "only the first one speaks"
    found = runs.arrays(tmp_path / "two", tiny.FACTORIES[method], steps=STEPS)
    # That one device trains as eight do is shown in test_resume.py.
    run(tiny.FACTORIES[method](steps=STEPS), run_dir=tmp_path / "one", mesh="data=8")
    expected = runs.arrays(tmp_path / "one", tiny.FACTORIES[method], steps=STEPS)
    assert found.keys() == expected.keys()
    for path, array in expected.items():
        scale = float(np.abs(array).max(initial=0))
        np.testing.assert_allclose(found[path], array, rtol=0, atol=1e-3 * scale + 1e-6, err_msg=path)
    rows = zip(runs.metrics(tmp_path / "two"), runs.metrics(tmp_path / "one"), strict=True)
    for ours, theirs in rows:
        assert ours.get("loss", 0) == pytest.approx(theirs.get("loss", 0), rel=1e-4)


@pytest.mark.slow
def test_when_one_is_killed_the_other_ends_and_the_same_command_goes_on(tmp_path):
    both = start_both("dino", tmp_path, steps=60)
    wait_for(tmp_path, 8, both)
    both[1].kill()
    printed, statuses = ended(both, timeout=150)
    assert statuses[0] not in (0, None)
    # Whoever notices first: what jssl waits for, a checkpoint on its way, or JAX's own heartbeats.
    said = ("another process of the run is gone", "A checkpoint could not be written", "another task died")
    assert any(words in printed[0] for words in said), printed[0]
    printed, statuses = ended(start_both("dino", tmp_path, steps=60))
    assert statuses == [0, 0], printed
    assert "Going on from step" in printed[0]
    assert [row["step"] for row in runs.metrics(tmp_path) if "loss" in row] == list(range(1, 61))


@pytest.mark.slow
def test_when_one_is_terminated_both_save_and_stop(tmp_path):
    both = start_both("simclr", tmp_path, steps=400)
    wait_for(tmp_path, 8, both)
    both[1].send_signal(signal.SIGTERM)
    printed, statuses = ended(both)
    assert statuses == [128 + signal.SIGTERM] * 2, printed
    assert all("The same command goes on from here." in text for text in printed)


@pytest.mark.parametrize(
    ("coordinator", "process"),
    [("10.0.0.1:1234", None), (None, "0/2"), ("10.0.0.1", "0/2"), ("10.0.0.1:1234", "2/2"), ("a:1", "one/2")],
)
def test_half_an_address_is_refused(coordinator, process):
    with pytest.raises(ValueError, match=r"--coordinator HOST:PORT.*--process INDEX/COUNT"):
        hosts.join(coordinator, process)


def test_a_cluster_of_one_is_not_joined(monkeypatch):
    for name in ("SLURM_STEP_NUM_TASKS", "OMPI_COMM_WORLD_SIZE"):
        monkeypatch.setenv(name, "1")
    assert hosts.join() == 1
    assert hosts.alone()
    assert hosts.first()


@pytest.mark.parametrize("name", ["SLURM_STEP_NUM_TASKS", "OMPI_COMM_WORLD_SIZE"])
def test_a_cluster_is_joined_by_itself(name, monkeypatch):
    called = []
    monkeypatch.setattr("jax.distributed.initialize", lambda: called.append(name))
    monkeypatch.setenv(name, "4")
    hosts.join()
    assert called == [name]
