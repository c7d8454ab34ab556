import json
import os
import signal
from dataclasses import replace

import jax
import optax
import pytest

import jssl
from jssl import data, evals, methods, nn, samples
from jssl.train import Interrupted

LINES = ["to be or not to be, that is the question"] * 40
LENGTH = 16


def experiment(method=None, **changes):
    tokenizer = data.text.character_tokenizer(LINES)
    rows = data.text.split(LINES, tokenizer, LENGTH + 1)
    encoder = nn.text_transformer(tokenizer.size, 16, 1, 2, max_length=LENGTH, **nn.GPT2)
    made = jssl.Experiment(
        name="writer",
        data=data.DataSet(rows, rows),
        method=methods.clm(encoder=encoder) if method is None else method,
        optimizer=optax.adam(1e-2),
        steps=7,
        batch_size=8,
        inputs="tokens",
        tokenizer=tokenizer,
        log_every=1,
        save_every=3,
    )
    return replace(made, **changes)


def written(folder):
    return [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]


def test_a_stopped_run_has_the_samples_of_an_uninterrupted_one(tmp_path):
    def stop(key, means):
        os.kill(os.getpid(), signal.SIGTERM)
        return {}

    stopping = evals.Eval("stop", stop, every=5, needs="scores")
    stopped, whole = tmp_path / "stopped", tmp_path / "whole"
    quiet = stopping._replace(run=lambda key, means: {})
    with pytest.raises(Interrupted):
        jssl.run(experiment(evals=(stopping,)), run_dir=stopped, mesh="data=1")
    assert [row["step"] for row in written(stopped)] == [5]
    for folder in (stopped, whole):
        jssl.run(experiment(evals=(quiet,)), run_dir=folder, mesh="data=1")
    assert written(stopped) == written(whole)
    assert [row["step"] for row in written(whole)] == [5, 7]
    assert "Sampled text" in (whole / "report.html").read_text()


@pytest.mark.parametrize("mesh", ["data=1", "data=2,fsdp=2"])
def test_at_each_save_by_default_on_any_mesh(tmp_path, mesh):
    jssl.run(experiment(), run_dir=tmp_path, mesh=mesh)
    rows = written(tmp_path)
    assert [row["step"] for row in rows] == [3, 6, 7]
    assert all(len(row["text"]) == samples.TOKENS + 1 and row["text"][0] == "t" for row in rows)


def test_one_compilation_and_later_samples_are_replaced(tmp_path):
    made = experiment()
    traced, own = [], made.method

    def extend(params, state, text):
        traced.append(type(text).__name__)
        return own.extend(params, state, text)

    made = replace(made, method=own._replace(extend=extend))
    sampler = samples.Sampler(made, tmp_path)
    rows = data.as_arrays(data.subset(made.data.train, range(8)))
    batch = jax.tree.map(jax.numpy.asarray, rows)
    state = jssl.train.init_state(made.method, made.optimizer, jax.random.key(0), batch)
    for step in (2, 4, 6, 4):
        sampler.write(state._replace(step=jax.numpy.asarray(step)))
    assert sorted(traced) == ["Next", "Prompt"]
    assert [row["step"] for row in written(tmp_path)] == [2, 4]
    assert len({row["text"] for row in written(tmp_path)}) == 1


def test_other_runs_have_no_samples(monkeypatch):
    assert samples.Sampler.serves(experiment())
    assert not samples.Sampler.serves(experiment(tokenizer=None))
    assert not samples.Sampler.serves(experiment(experiment().method._replace(extend=None)))
    monkeypatch.setattr("jax.process_count", lambda: 2)
    assert not samples.Sampler.serves(experiment())
