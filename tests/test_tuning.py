"""Experiments that go on from a pretrained network: two steps of each, and what they start from."""

import dataclasses
import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jssl
from experiments import texts, tuning
from jssl import data, experiment, load, locate, nn, run_folder
from jssl.core import Text

from . import runs

NEWS = ["shares of gold rose", "a phone with new chips", "the cup final was won", "a vote in the house"]
KINDS = ("business", "tech", "sport", "politics")
WORDS = [("God", "B-person"), ("made", "O"), ("New", "B-location"), ("York", "I-location"), ("",)]
SMALL = {"steps": 2, "batch_size": 8, "length": 32}
TUNED = {
    "sst2": "test/label/macro_f1",
    "bbc_topics": "test/label/accuracy",
    "wnut17": "test/entities/f1",
    "sts_finetune": "sts/2015/spearman",
    "simcse_small": "sts/average/spearman",
    "simcse_bert_base": "sts/average/spearman",
}


def write(path, *rows):
    path.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The data sets as they are published, with a few rows each."""
    root = tmp_path_factory.mktemp("data")
    for name in ("sst2", "bbc", "wnut17", "sts"):
        (root / name).mkdir()
    for part in ("train", "dev", "test"):
        rows = [(f"{NEWS[i % 4]} {'good' if i % 3 else 'dull'}", str(int(i % 3 > 0))) for i in range(24)]
        write(root / "sst2" / f"{part}.tsv", *rows)
    for part in ("train", "test"):
        rows = [(KINDS[i % 4], NEWS[i % 4]) for i in range(16)]
        write(root / "bbc" / f"{part}.tsv", ("label", "text"), *rows)
    for name in ("wnut17train.conll", "emerging.dev.conll", "emerging.test.annotated"):
        write(root / "wnut17" / name, *WORDS * 12)
    pairs = [(f"{i % 6}.0", NEWS[i % 4], NEWS[(i + i // 4) % 4]) for i in range(12)]
    write(root / "sts" / "2012.a.train.tsv", *pairs[:4])
    write(root / "sts" / "2012.a.test.tsv", *pairs[4:], ("5.0", "only here", "not there"))
    write(root / "sts" / "2015.b.test.tsv", ("1.0", "not there", "only here"), ("4.0", "a", "b"))
    chapters = data.text.web_bible().train[:20]
    for name, blank in (("documents", "\n\n"), ("lines", "\n")):
        whole = blank.join("\n".join(chapter) for chapter in chapters)
        (root / f"{name}.txt").write_text(whole, encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def pretrained(folders, tmp_path_factory):
    """A run of bert_small_bible with a tiny network."""
    factory = experiment.find(runs.ROOT / "experiments" / "bert_small_bible.py")
    arguments = {"text": str(folders / "documents.txt"), "steps": 2, "batch_size": 8, "vocab_size": 300}
    arguments |= {"length": 64, "width": 32, "depth": 1, "heads": 2}
    folder = tmp_path_factory.mktemp("run") / "bert"
    origin = run_folder.Origin(arguments, locate.source(factory))
    jssl.run(factory(**arguments), run_dir=folder, mesh="data=1", origin=origin)
    return folder


@pytest.fixture(scope="module")
def published(pretrained, tmp_path_factory):
    """A published BERT's folder: weights, sizes, tokenizer."""
    folder = tmp_path_factory.mktemp("published")
    tokenizer = data.text.load_tokenizer(pretrained / "tokenizer")
    tokenizer.save(folder)
    network = nn.text_transformer(tokenizer.size, 16, 1, 2, max_length=64, **nn.BERT)
    variables = network.init(jax.random.key(5), Text(jnp.zeros((1, 2), jnp.int32)))
    nn.save_weights(folder / "model.safetensors", variables)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    (folder / "config.json").write_text(json.dumps({**sizes, "max_position_embeddings": 64}))
    return folder / "model.safetensors", variables.params


def make(name, folders, **arguments):
    """The experiment on its own data, or on the sentences of a file."""
    factory = experiment.find(runs.ROOT / "experiments" / f"{name}.py")
    if name.startswith("simcse"):
        given = {"text": str(folders / "lines.txt"), "sts": str(folders / "sts")}
    else:
        given = {"data_dir": str(folders / name.split("_")[0])}
    return factory(**{**SMALL, **given, **arguments})


def started(made):
    """The parameters before the first step."""
    batch = {name: jnp.asarray(x) for name, x in data.as_arrays(made.data.train, 2).items()}
    return jax.jit(made.method.init)(jax.random.key(1), batch)[0]


def equal(a, b):
    return all(jax.tree.leaves(jax.tree.map(np.array_equal, a, b)))


@pytest.mark.parametrize("name", TUNED)
def test_two_steps_make_a_page(name, folders, pretrained, published, tmp_path):
    begin = {"weights": str(published[0])} if name == "simcse_bert_base" else {"run": str(pretrained)}
    made = dataclasses.replace(make(name, folders, **begin), log_every=1)
    finished = jssl.run(made, run_dir=tmp_path, mesh="data=1")
    assert finished.experiment.name == name
    losses = [row["loss"] for row in runs.metrics(tmp_path) if "loss" in row]
    assert len(losses) == 2
    assert all(math.isfinite(loss) for loss in losses)
    assert (tmp_path / "report.html").stat().st_size > 0
    rows = json.loads((tmp_path / "results.json").read_text())["rows"]
    assert {"untrained", "trained"} <= set(rows[TUNED[name]])
    tagged = json.loads((tmp_path / "texts.json").read_text())["tagged"]
    assert bool(tagged) == (name == "wnut17")
    for row in tagged:
        text = "".join(piece["text"] for piece in row).replace(" ", "")
        assert text.lower() in "".join(word for word, *_ in WORDS).lower()
    if name in ("sst2", "bbc_topics"):
        assert {"bag of words", "untrained", "trained"} <= set(rows["linear/all/accuracy"])


@pytest.mark.parametrize("name", [name for name in TUNED if name != "simcse_bert_base"])
def test_it_starts_from_the_run(name, folders, pretrained):
    found, known = started(make(name, folders, run=str(pretrained))), load(pretrained).state.params
    assert equal(found["encoder"], known["encoder"])


def test_it_starts_from_published_weights_or_from_random_ones(folders, pretrained, published):
    weights, known = published
    assert equal(started(make("sst2", folders, weights=str(weights)))["encoder"], known)
    assert equal(started(make("simcse_bert_base", folders, weights=str(weights)))["encoder"], known)
    for begin in ({"weights": str(weights)}, {"run": str(pretrained)}):
        loaded = started(make("sst2", folders, **begin))["encoder"]
        random = started(make("sst2", folders, **begin, scratch=True))["encoder"]
        assert jax.tree.map(jnp.shape, random) == jax.tree.map(jnp.shape, loaded)
        assert not equal(random["tokens"], loaded["tokens"])
    with pytest.raises(ValueError, match="got both"):
        make("sst2", folders, run=str(pretrained), weights=str(weights))
    with pytest.raises(ValueError, match=r"config\.json beside the weights"):
        make("sst2", folders, weights=str(folders / "w.safetensors"), tokenizer=str(pretrained / "tokenizer"))


def test_a_run_that_started_from_another_has_its_sizes(folders, pretrained, published, tmp_path):
    begin = tuning.start(str(pretrained), None, None)
    for place, (run, weights) in enumerate(((str(pretrained), None), (None, str(published[0])))):
        config = {"name": "simcse_small", "arguments": {"run": run, "weights": weights, "length": 7}}
        (tmp_path / str(place)).mkdir()
        (tmp_path / str(place) / "config.json").write_text(json.dumps(config))
        begin.tokenizer.save(tmp_path / str(place) / "tokenizer")
        again = tuning.start(str(tmp_path / str(place)), None, None, scratch=True)
        shapes = jax.eval_shape(again.encoder.init, jax.random.key(0), Text(jnp.zeros((1, 2), jnp.int32)))
        assert shapes.params["tokens"].shape == (begin.tokenizer.size, 16 if weights else 32)
        assert shapes.params["positions"].shape[0] == 64
    (tmp_path / "0" / "config.json").write_text(json.dumps({"name": "clm", "arguments": {"depth": 1}}))
    with pytest.raises(ValueError, match=r"a run of bert_small_bible, .* lack heads, length, width"):
        tuning.start(str(tmp_path / "0"), None, None)


def test_a_run_of_arguments_that_are_gone(pretrained, tmp_path):
    config = run_folder.read_config(pretrained)
    config["arguments"]["disjoint"] = True
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=r"no longer takes \(.*'disjoint'\): train it again, or"):
        load(tmp_path)


def test_a_tokenizer_of_another_vocabulary(folders, pretrained, published):
    other = str(folders / "other")
    data.text.byte_tokenizer().save(other)
    size = data.text.load_tokenizer(pretrained / "tokenizer").size
    wrong = rf"got .*tokens'\] of \({size}, 32\) for \(261, 32\); .* with their tokenizer"
    with pytest.raises(ValueError, match=wrong):
        started(make("sst2", folders, run=str(pretrained), tokenizer=other))
    wrong = rf"of shape \(261, 16\) for this network, got \({size}, 16\)"
    with pytest.raises(ValueError, match=wrong):
        started(make("sst2", folders, weights=str(published[0]), tokenizer=other))


def test_few_labels_are_of_all_classes_alike(folders, pretrained):
    few = make("sst2", folders, run=str(pretrained), labels=12)
    assert np.bincount(data.as_arrays(few.data.train)["label"]).tolist() == [6, 6]
    assert few.batch_size == 8
    assert make("sst2", folders, run=str(pretrained), labels=4).batch_size == 4
    assert len(few.data.test) == 24


def test_a_frozen_network_is_no_parameter(folders, pretrained):
    for name in ("sst2", "bbc_topics", "wnut17"):
        assert set(started(make(name, folders, run=str(pretrained), freeze=True))) == {"head"}


def test_an_epoch_unless_steps_are_given(folders, published):
    made = make("simcse_bert_base", folders, weights=str(published[0]), steps=None)
    assert made.steps == len(made.data.train) // 8


def test_pairs_of_later_years_are_not_trained_on(folders):
    known, new = tuning.parted_pairs(str(folders / "sts"), "2014")
    assert sorted(new) == ["2015"]
    assert sum(len(pairs.scores) for pairs in known) == 12
    assert "only here" not in [text for pairs in known for text in pairs.first]
    encode = lambda texts: np.array([[len(text)] for text in texts])  # noqa: E731 - a row a text
    rows = data.as_arrays(tuning.pair_rows(known, encode))
    np.testing.assert_array_equal(rows["tokens"][:, 1, 0], [len(x) for pairs in known for x in pairs.second])
    assert rows["score"].max() == 1
    assert rows["score"].dtype == np.float32


def test_token_embeddings_alone_learn_faster():
    updates = {
        "encoder": {"tokens": jnp.ones(3), "block0": {"kernel": jnp.ones(2)}},
        "tokens_of": jnp.ones(1),
    }
    made = texts.faster_tokens(30.0)
    found, _ = made.update(updates, made.init(updates))
    assert equal(
        found,
        {
            "encoder": {"tokens": jnp.full(3, 30.0), "block0": {"kernel": jnp.ones(2)}},
            "tokens_of": jnp.ones(1),
        },
    )
