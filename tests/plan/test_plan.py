import json
import math
from dataclasses import replace

import jax
import pytest

from jssl import cli, plan, train
from jssl.plan.make import EFFICIENCY
from jssl.program import Program
from tests import tiny

CHIP = plan.CHIPS["v5e"]


def size(tree):
    return sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(tree))


@pytest.fixture(scope="module")
def made():
    return plan.make_plan(tiny.simclr(), train.device_mesh(), "8 x v5e", CHIP)


def test_memory_is_that_of_the_arrays(made):
    program = Program(tiny.simclr(), train.device_mesh())
    state = program.initial_state()
    assert made.memory["parameters"] == size(state.params)
    assert made.memory["optimizer"] == size(state.opt_state)
    assert made.memory["method's state"] == size(state.method_state)
    assert made.memory["batch"] == size(program.batch_shapes()) / 8, "each device has its share"
    assert made.memory["intermediate"] > 0
    assert made.needed == sum(made.memory.values())


def test_shapes_and_first_state_come_from_one_trace():
    experiment = tiny.simclr()
    begun = []

    def init(key, batch):
        begun.append(key)
        return experiment.method.init(key, batch)

    program = Program(
        replace(experiment, method=experiment.method._replace(init=init)), train.device_mesh(fsdp=2)
    )
    shapes = program.state_shapes()
    state = program.initial_state()
    assert len(begun) == 1
    assert jax.tree.map(lambda x: (x.shape, x.dtype, x.sharding), shapes) == jax.tree.map(
        lambda x: (x.shape, x.dtype, x.sharding), state
    )


def test_a_shared_state_takes_less(monkeypatch, made):
    monkeypatch.setattr(train.sharding, "LARGE", 32)
    shared = plan.make_plan(tiny.simclr(), train.device_mesh(fsdp=8), "8 x cpu")
    assert shared.memory["parameters"] < made.memory["parameters"] / 2
    assert {"parameters", "gradients"} <= {traffic.purpose for traffic in shared.collectives}


def test_collectives_are_those_that_theory_asks_for(made):
    traffic = {x.purpose: x for x in made.collectives}
    parameters = made.memory["parameters"]
    assert parameters / 2 <= traffic["gradients"].bytes <= 1.1 * parameters
    embeddings = 2 * 16 * 4 * 4
    assert traffic["embeddings"].kind == "all-gather"
    assert embeddings <= traffic["embeddings"].bytes <= 4 * embeddings, (
        "forward and backward, with their sums"
    )
    assert not [x for x in made.collectives if x.kind == "all-to-all"]
    assert not made.warnings


def test_of_text_devices_send_gradients_and_the_rows_that_others_are_paired_with():
    found = plan.make_plan(tiny.bert(), train.device_mesh(), "8 x v5e", CHIP)
    traffic = {x.purpose: x for x in found.collectives}
    assert set(traffic) == {"gradients", "rows", "scalars"}
    assert {x.kind for x in found.collectives} == {"all-reduce", "collective-permute"}
    parameters = found.memory["parameters"]
    # Those of the network once for each of its two pieces, those of the embeddings for the scores besides.
    assert parameters <= traffic["gradients"].bytes <= 3 * parameters
    assert traffic["rows"].bytes <= 4 * found.memory["batch"]


def test_costs_are_those_of_the_published_figures(made):
    cost = made.cost
    assert cost.compute == made.flops / 197e12
    assert cost.memory == made.bytes / 819e9
    assert cost.network == sum(x.sent for x in made.collectives) / 200e9
    assert cost.best == max(cost.compute, cost.memory, cost.network) == getattr(cost, cost.bound)
    assert cost.estimate == cost.best / EFFICIENCY
    assert math.isclose(cost.hours, cost.estimate * 10 / 3600)
    assert math.isclose(cost.chip_hours, 8 * cost.hours)
    assert math.isclose(cost.fed, 16 / cost.estimate)


def test_too_little_memory_is_said():
    small = CHIP._replace(memory=1000.0)
    (warning,) = plan.make_plan(tiny.simclr(), train.device_mesh(), "8 x small", small).warnings
    assert "does not fit" in warning
    assert "--batch-size" in warning


def test_hosts_that_read_too_slowly_are_said():
    slow = plan.make_plan(tiny.simclr(), train.device_mesh(), "8 x v5e", CHIP, input_rate=100.0)
    assert slow.cost.bound == "input"
    assert slow.cost.input == slow.cost.estimate == 16 / 100
    (warning,) = slow.warnings
    assert "read a batch in 160.0 ms" in warning
    fast = plan.make_plan(tiny.simclr(), train.device_mesh(), "8 x v5e", CHIP, input_rate=1e9)
    assert fast.cost.bound != "input"
    assert not fast.warnings


@pytest.fixture
def planned(tmp_path, monkeypatch, capsys):
    """Runs the command on the tiny experiment; what it printed, or the message that it ended with."""
    path = tmp_path / "planned.py"
    path.write_text("from tests.tiny import simclr as planned\n")

    monkeypatch.setenv("COLUMNS", "200")

    def run(*words):
        monkeypatch.setattr("sys.argv", ["jssl", "plan", str(path), *words])
        try:
            cli.main()
        except SystemExit as ended:
            return str(ended.code)
        return capsys.readouterr().out

    return run


def test_the_command_prints_numbers_and_words(planned):
    found = json.loads(planned("--mesh", "data=2,fsdp=4", "--batch-size", "32", "--json"))
    assert found["mesh"] == {"data": 2, "fsdp": 4}
    assert found["batch_size"] == 32
    assert found["needed"] == sum(found["memory"].values())
    assert {"purpose", "bytes", "theory"} <= set(found["collectives"][0])
    said = planned("--mesh", "data=8")
    for words in ("tiny_simclr on 8 x cpu (data=8, fsdp=1; 1 host)", "parameters", "all-reduce", "GFLOP"):
        assert words in said


def test_several_plans_are_a_table(planned):
    said = planned("--mesh", "data=8", "--batch-size", "16,32")
    assert [said.count(f"│ 8 x cpu │ data=8 │    {size} │") for size in (16, 32)] == [1, 1], said
    found = json.loads(planned("--mesh", "data=8", "--batch-size", "16,32", "--json"))
    assert [plan["batch_size"] for plan in found] == [16, 32]


def test_what_can_not_be_planned(planned):
    assert "multiple of 8" in planned("--batch-size", "12")
    assert "Expected a topology as v5e:16x16, of one of v4, v5e" in planned("--topology", "a100:8")
    assert "as data=8 or data=2,fsdp=4" in planned("--mesh", "8")


def test_with_as_many_examples_a_device_the_work_of_each_stays():
    def planned(num):
        mesh = train.device_mesh(jax.devices()[:num])
        return plan.make_plan(tiny.mae(batch_size=4 * num), mesh, f"{num} x cpu")

    few, many = planned(2), planned(8)
    assert many.flops == pytest.approx(few.flops, rel=0.02)
    assert many.bytes == pytest.approx(few.bytes, rel=0.02)
    assert many.needed == pytest.approx(few.needed, rel=0.02)
