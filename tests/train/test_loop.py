import json
import os
import signal

import jax
import numpy as np
import pytest
from jax._src.array import ArrayImpl

from jssl.train import Hook, Interrupted, NonFiniteLoss, make_step
from tests.traces import traces

from .toy import OPTIMIZER, toy_method, toy_run


def rows(folder):
    """The logged metrics, without the figures that depend on the clock."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if not k.startswith("time/")} for line in lines]


def assert_same_state(a, b):
    jax.tree.map(
        np.testing.assert_array_equal,
        a._replace(key=jax.random.key_data(a.key)),
        b._replace(key=jax.random.key_data(b.key)),
    )


def test_the_loss_falls_and_every_step_is_logged(tmp_path):
    state = toy_run(tmp_path)
    logged = rows(tmp_path)
    assert [row["step"] for row in logged] == list(range(1, 21))
    assert logged[-1]["loss"] < logged[0]["loss"]
    assert set(logged[0]) == {"step", "loss", "gradient/norm", "error/root"}
    assert int(state.step) == 20
    assert int(state.method_state["count"]) == 20


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_the_next_call_goes_on_bit_for_bit(tmp_path, signum):
    whole = toy_run(tmp_path / "whole")
    stopped = tmp_path / "stopped"

    def interrupt(state):
        if int(state.step) == 7:
            os.kill(os.getpid(), signum)
        return state, {}

    with pytest.raises(Interrupted, match="after step 7; the state is saved") as caught:
        toy_run(stopped, hooks=[Hook(1, interrupt)])
    assert caught.value.signum == signum
    assert_same_state(toy_run(stopped), whole)
    assert rows(stopped) == rows(tmp_path / "whole")


def test_a_run_that_died_between_saves_goes_on_bit_for_bit(tmp_path):
    whole = toy_run(tmp_path / "whole")
    died = tmp_path / "died"

    def die(state):
        if int(state.step) == 13:
            raise ZeroDivisionError
        return state, {"eval/seen": float(state.step)}

    with pytest.raises(ZeroDivisionError):
        toy_run(died, hooks=[Hook(1, die)])
    assert rows(died)[-1]["step"] > 10
    assert_same_state(toy_run(died), whole)
    after = [row for row in rows(died) if row["step"] > 10]
    assert after == [row for row in rows(tmp_path / "whole") if row["step"] > 10]


def test_a_loss_that_is_not_a_number_stops_the_run_and_saves_nothing_after_it(tmp_path):
    with pytest.raises(NonFiniteLoss, match=r"nan at step 13 .*last good checkpoint: step 10.*learning rate"):
        toy_run(tmp_path, bad_from=12)
    assert sorted(int(p.name) for p in (tmp_path / "checkpoints").iterdir()) == [5, 10]


def test_a_bad_loss_at_the_step_of_a_save_is_not_saved(tmp_path):
    with pytest.raises(NonFiniteLoss, match="nan at step 10"):
        toy_run(tmp_path, bad_from=9)
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["5"]


def test_metrics_are_fetched_one_step_late_and_nothing_else_is(tmp_path, monkeypatch):
    """On a CPU jax.transfer_guard lets reads through (they copy nothing), so reads are counted instead."""
    jitted = jax.jit(make_step(toy_method(), OPTIMIZER), donate_argnums=0)
    sent = []
    reads = []

    def step(state, batch):
        state, metrics = jitted(state, batch)
        sent.append({id(value): name for name, value in metrics.items()})
        kept.append(metrics)
        return state, metrics

    kept = []
    read = ArrayImpl._value

    def spy(self):
        found = [(number, names[id(self)]) for number, names in enumerate(sent, 1) if id(self) in names]
        reads.append((len(sent), *(found or [("other", self.shape)])))
        return read.fget(self)

    monkeypatch.setattr(ArrayImpl, "_value", property(spy))
    with jax.transfer_guard_device_to_host("disallow"):
        toy_run(tmp_path, step=step, num_steps=9, save_every=100)
    during = [(now, found) for now, found in reads if 1 <= now < 9]
    assert [found for _, found in during if found[0] == "other"] == []
    assert {now - found[0] for now, found in during} == {1}
    assert len(during) == 7 * 3


def test_the_step_is_compiled_once(tmp_path):
    jitted = jax.jit(make_step(toy_method(), OPTIMIZER), donate_argnums=0)
    with traces() as traced:
        toy_run(tmp_path, step=jitted, num_steps=12)
        toy_run(tmp_path, step=jitted, num_steps=20)
    assert traced[jitted.__name__] == 1
