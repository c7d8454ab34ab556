"""Runs whose examples are rows of tokens, and evaluations with data of their own."""

import json
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jssl
from jssl import data, evals, evaluation, spec
from jssl.core import Method

VOCAB, LENGTH, CLASSES = 40, 12, 4


class Pairs(NamedTuple):
    first: list[str]
    second: list[str]
    scores: np.ndarray


def rows(seed, num, length=LENGTH):
    """Texts of four topics with words of their own, padded with 0."""
    rng = np.random.default_rng(seed)
    label = (np.arange(num) % CLASSES).astype(np.int32)
    tokens = rng.integers(1, VOCAB, (num, length))
    own = rng.random((num, length)) < 0.5
    tokens[own] = (1 + label[:, None] + CLASSES * rng.integers(0, 3, (num, length)))[own]
    tokens[np.arange(length) >= rng.integers(4, length + 1, num)[:, None]] = 0
    return tokens.astype(np.int32), label


def texts(seed, num, *, labelled=True, length=LENGTH):
    tokens, label = rows(seed, num, length)
    return data.arrays(tokens=tokens, **({"label": label} if labelled else {}))


def words(strings):
    """Texts to rows: a letter a token."""
    table = np.zeros((len(strings), LENGTH), np.int32)
    for row, text in zip(table, strings, strict=True):
        row[: len(text)] = [ord(letter) - ord("a") + 1 for letter in text]
    return table


def pairs(seed, num):
    """The more letters two texts share, the higher the score."""
    rng = np.random.default_rng(seed)
    first = ["".join(rng.choice(list("abcdefgh"), 8)) for _ in range(num)]
    shared = rng.integers(0, 9, num)
    second = [
        text[:n] + "".join(rng.choice(list("stuvwxyz"), 8 - n)) for text, n in zip(first, shared, strict=True)
    ]
    return Pairs(first, second, shared.astype(np.float32))


def mean_of_vectors():
    """The mean of the tokens' vectors, which are pulled to length 1."""

    def init(key, batch):
        return {"table": jax.random.normal(key, (VOCAB, 16))}, ()

    def loss(params, state, batch, *, key, step):
        length = jnp.sum(params["table"][batch["tokens"]] ** 2, axis=-1)
        return jnp.mean((length - 1) ** 2), (state, {})

    def embed(params, state, tokens):
        real = (tokens > 0)[..., None]
        return jnp.sum(params["table"][tokens] * real, axis=1) / jnp.maximum(real.sum(1), 1)

    return Method(init, loss, lambda params, state, step: state, embed)


def experiment(examples, measured):
    return jssl.Experiment(
        name="texts",
        data=examples,
        method=mean_of_vectors(),
        optimizer=optax.sgd(1e-2),
        steps=4,
        batch_size=8,
        evals=measured,
        inputs="tokens",
        pad=0,
        log_every=1,
        save_every=4,
    )


SETS = {"2012": {"a": pairs(0, 30), "b": pairs(1, 20)}, "2013": {"c": pairs(2, 25)}}


def run(tmp_path, examples, *measured):
    finished = jssl.run(experiment(examples, measured), run_dir=tmp_path, mesh="data=1")
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    return finished.results, lines, (tmp_path / "report.html").read_text()


def test_text_is_compared_with_its_words(tmp_path):
    examples = data.DataSet(texts(0, 64), texts(1, 40), ("a", "b", "c", "d"))
    results, lines, page = run(tmp_path, examples, evals.knn(k=5, every=2), evals.collapse())
    assert results["columns"] == ["bag of words", "untrained", "trained"]
    assert results["rows"]["knn/accuracy"].keys() == set(results["columns"])
    assert [line["step"] for line in lines if "eval/knn/accuracy" in line] == [2, 4]
    train, test = rows(0, 64), rows(1, 40)
    bag = evals.fit_bag(train[0])
    expected = evals.knn_accuracy(
        evals.bag_of_words(bag, train[0]), train[1], evals.bag_of_words(bag, test[0]), test[1], k=5
    )
    assert results["rows"]["knn/accuracy"]["bag of words"] == pytest.approx(expected)
    assert 'id="map-of-the-embeddings"' in page
    assert 'id="confusion"' in page
    stored = np.load(tmp_path / "embeddings.npz")
    np.testing.assert_array_equal(stored["inputs"], test[0])


def test_without_labels_and_test_examples_other_data_is_measured(tmp_path):
    examples = data.DataSet(texts(0, 64, labelled=False), None)
    others = data.DataSet(texts(2, 60, length=9), texts(3, 40, length=9))
    results, lines, page = run(
        tmp_path,
        examples,
        evals.sts(SETS, words, every=2),
        *evals.on(
            "topics", others, evals.knn(k=5, every=4), evals.linear_probe(labels=(20,)), inputs="tokens"
        ),
    )
    table = results["rows"]
    assert results["columns"] == ["bag of words", "untrained", "trained"]
    names = ["sts/average/spearman", "sts/2012/spearman", "topics/knn/accuracy", "topics/linear/20/macro_f1"]
    assert all(table[name].keys() == set(results["columns"]) for name in names)
    assert table["sts/average/spearman"]["trained"] > 0.5
    on_the_way = [line for line in lines if "eval/sts/2012/spearman" in line]
    assert [line["step"] for line in on_the_way] == [2, 4]
    assert [line["step"] for line in lines if "eval/topics/knn/accuracy" in line] == [4]
    assert on_the_way[-1]["eval/sts/2013/spearman"] == pytest.approx(table["sts/2013/spearman"]["trained"])
    assert "topics · kNN · accuracy" in page
    assert 'id="map-of-the-embeddings"' not in page
    assert not (tmp_path / "embeddings.npz").exists()


def test_without_labels_a_map_is_drawn_all_the_same(tmp_path):
    examples = data.DataSet(texts(0, 64, labelled=False), texts(1, 40, labelled=False))
    results, _, page = run(tmp_path, examples, evals.collapse(every=2))
    assert results["columns"] == ["trained"]
    assert "no labels given" in page
    assert 'id="confusion"' not in page


def test_own_data_is_embedded_once_for_all_evaluations_of_a_step():
    seen = []

    def embed(inputs):
        seen.append(len(inputs))
        return np.ones((len(inputs), 2), np.float32)

    measured = evals.on(
        "topics", data.DataSet(texts(2, 30), texts(3, 20)), evals.knn(), evals.collapse(), inputs="tokens"
    )
    look = evaluation.Look(embed, lambda: None)
    evaluation.measure(measured, jax.random.key(0), look.of)
    assert seen == [30, 20]


def test_raw_inputs_that_would_not_fit_are_left_out(monkeypatch):
    examples = evaluation.load_examples(data.DataSet(texts(0, 8), texts(1, 8)), "tokens")
    assert examples.affords(evaluation.BAG)
    monkeypatch.setattr(evaluation, "LIMIT", 8 * evaluation.WORDS * 4 - 1)
    assert not examples.affords(evaluation.BAG)
    assert examples.affords(evaluation.TRAINED)
    own = evals.on("topics", data.DataSet(texts(2, 30), texts(3, 20)), evals.knn(), inputs="tokens")
    _, embed = evaluation.raw_column(texts(0, 8), "tokens", 0)
    look = evaluation.Look(embed, lambda: examples)
    table = evaluation.compare((evals.knn(k=2), *own), jax.random.key(0), [(evaluation.BAG, look)])
    assert set(table.rows) == {"topics/knn/accuracy", "topics/knn/macro_f1"}


def test_pairs_of_rows_are_compared_with_their_words():
    tokens, _ = rows(0, 16)
    column, embed = evaluation.raw_column(data.arrays(tokens=tokens.reshape(8, 2, LENGTH)), "tokens", 0)
    assert column == evaluation.BAG
    bag = evals.fit_bag(tokens, ignore=(0,))
    np.testing.assert_allclose(embed(tokens), evals.bag_of_words(bag, tokens), rtol=1e-6)
    grey = data.arrays(image=np.zeros((4, 6, 6), np.uint8))
    assert evaluation.raw_column(grey, "image", None)[0] == evaluation.RAW


def test_training_from_scratch_on_other_data_has_its_column():
    def run(key, train, test):
        return {"supervised/20/accuracy": 0.5}

    scratch = evals.Eval("supervised", run, baselines=False)
    own = evals.on("topics", data.DataSet(texts(2, 30), texts(3, 20)), scratch, inputs="tokens")
    look = evaluation.Look(lambda inputs: np.ones((len(inputs), 2), np.float32), lambda: None)
    table = evaluation.compare(own, jax.random.key(0), [("untrained", look), ("trained", look)])
    assert table == (["from scratch"], {"topics/linear/20/accuracy": {"from scratch": 0.5}})


def test_what_is_embedded_must_be_there():
    examples = data.DataSet(texts(0, 8), None)
    with pytest.raises(ValueError, match=r'embed "image", but the examples have \[\'label\', \'tokens\'\]'):
        spec.Experiment("a", examples, mean_of_vectors(), optax.sgd(1.0), 1, 8, evals=(evals.knn(),))
    with pytest.raises(ValueError, match=r"need test examples.*evals\.on"):
        evaluation.load_examples(examples, "tokens")
