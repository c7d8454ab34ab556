"""Equal to Hugging Face's text models, whose scores, states and gradients tests/golden/text.py wrote."""

import json
from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors import numpy as safetensors

from jssl import nn
from jssl.core import Text, Variables
from tests.golden.weights import normal

FILE = np.load(Path(__file__).parents[1] / "golden" / "text.npz")
LAYERS = {"bert": 2, "roberta": 2, "gpt2": 2, "modernbert": 4}
OPTIONS = {
    "bert": {"max_length": 12, "mlp_ratio": 2.0, **nn.BERT},
    "roberta": {"max_length": 12, "mlp_ratio": 2.0, **nn.ROBERTA},
    "gpt2": {"max_length": 12, **nn.GPT2},
    "modernbert": {"mlp_ratio": 3.0, "window": 2, **nn.MODERN},
}
PREFIX = {"bert": "bert.", "roberta": "roberta.", "gpt2": "transformer.", "modernbert": "model."}
TEXT = Text(jnp.zeros((1, 2), int), jnp.ones((1, 2), int))


@cache
def golden(name):
    return {key.split("/", 1)[1]: FILE[key] for key in FILE.files if key.startswith(f"{name}/")}


def encoder(name, depth=None, **options):
    return nn.text_transformer(40, 16, depth or LAYERS[name], 2, **{**OPTIONS[name], **options})


def head(name, **options):
    own = {} if name == "bert" else {"epsilon": 1e-5}
    return nn.masked_head(**own, bias=name != "modernbert", **options)


def shapes_of(name):
    """Variables of all that the model is trained with."""
    h, key = jnp.zeros((2, 3, 16)), jax.random.key(0)

    def params():
        found = {"encoder": encoder(name).init(key, TEXT).params}
        if name != "gpt2":
            found |= {"head": head(name).init(key, h).params, "token_bias": jnp.zeros(40)}
        if name == "bert":
            found |= {
                "pooler": nn.pooler().init(key, h).params,
                "next": nn.linear(2).init(key, h[:, 0]).params,
            }
        return found

    return Variables(jax.eval_shape(params), {})


@pytest.fixture
def file(tmp_path):
    def write(name, rename=lambda key: key, **changed):
        """The model's file, with other names, and with tensors of other shapes (or none) by name."""
        shapes = {**json.loads(str(golden(name)["shapes"])), **changed}
        tensors = {rename(key): normal(key, tuple(shape)) for key, shape in shapes.items() if shape}
        safetensors.save_file(tensors, tmp_path / f"{name}.safetensors")
        return tmp_path / f"{name}.safetensors"

    return write


def text_of(name):
    known = golden(name)
    segments = (jnp.arange(9)[None] < jnp.asarray(FILE["lengths"])[:, None]).astype(jnp.int32)
    types = jnp.asarray(known["types"], jnp.int32) if "types" in known else None
    return Text(jnp.asarray(known["tokens"], jnp.int32), segments, types)


def scores_of(name, params, dtype):
    run = lambda part, net, x: net.apply(Variables(params[part], {}), x, train=False)[0]  # noqa: E731
    h = run("encoder", encoder(name, dtype=dtype), text_of(name))
    y = run("head", head(name, dtype=dtype), h) if "head" in params else h
    scores = y @ params["encoder"]["tokens"].astype(dtype).T
    if "token_bias" in params:
        scores = scores + params["token_bias"].astype(dtype)[None, None]
    if "next" not in params:
        return scores, None
    return scores, run("next", nn.linear(2, dtype=dtype), run("pooler", nn.pooler(dtype=dtype), h[:, 0]))


def mean_loss(scores, labels):
    """Over those of 0 or more."""
    chosen = jax.nn.log_softmax(scores)[*np.indices(labels.shape), np.maximum(labels, 0)]
    return -jnp.sum(jnp.where(labels >= 0, chosen, 0)) / np.sum(labels >= 0)


def loss_of(params, name, dtype):
    known = golden(name)
    scores, follows = scores_of(name, params, dtype)
    if name == "gpt2":
        return mean_loss(scores[:, :-1], known["labels"][:, 1:]), (scores, follows)
    loss = mean_loss(scores, known["labels"])
    return loss if follows is None else loss + mean_loss(follows, known["next"]), (scores, follows)


def close(found, expected, rtol, atol=0.0):
    """Up to a share of the largest number."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=rtol * np.abs(expected).max() + atol)


def real(name, x):
    """Without padding, which sees something else there."""
    return np.asarray(x)[np.asarray(text_of(name).segments) > 0]


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_scores_loss_and_gradients_are_equal(name, wide, file, tmp_path):
    known, shapes = golden(name), shapes_of(name)
    path = file(name)
    with jax.enable_x64(wide):
        dtype = jnp.float64 if wide else jnp.float32
        variables = nn.load_weights(path, shapes)
        params = jax.tree.map(lambda x: x.astype(dtype), variables.params)
        run = jax.jit(jax.value_and_grad(loss_of, has_aux=True), static_argnums=(1, 2))
        (loss, (scores, follows)), gradient = run(params, name, dtype)
        # The cosines and sines of rotations are float32 in both.
        rtol = 1e-10 if wide and name != "modernbert" else 1e-5
        close(real(name, scores), real(name, known["scores"]), rtol)
        if follows is not None:
            close(follows, known["next_scores"], rtol)
        close(loss, known["loss"], rtol)
        naming = None if name == "bert" else name
        nn.save_weights(tmp_path / "gradient", Variables(gradient, {}), naming=naming)
    found = safetensors.load_file(tmp_path / "gradient")
    prefix = PREFIX[name] if name == "gpt2" else ""
    assert {prefix + key for key in found} == {key[9:] for key in known if key.startswith("gradient/")}
    for key, x in found.items():
        # That of the keys' biases is 0.
        close(x, known[f"gradient/{prefix}{key}"], max(rtol, 1e-7), atol=1e-8)


@pytest.mark.parametrize("name", LAYERS)
def test_hidden_states_of_each_layer_are_equal(name, file):
    path, expected = file(name), golden(name)["hidden"]
    with jax.enable_x64(True):
        params = nn.load_weights(path, shapes_of(name)).params["encoder"]
        params = jax.tree.map(lambda x: x.astype(jnp.float64), params)
        for depth in range(1, LAYERS[name] + 1):
            network = encoder(name, depth, dtype=jnp.float64)
            run = jax.jit(lambda text, net=network: net.apply(Variables(params, {}), text, train=False)[0])
            rtol = 1e-6 if name == "modernbert" else 1e-10
            close(real(name, run(text_of(name))), real(name, expected[depth - 1]), rtol)


@pytest.mark.parametrize("name", LAYERS)
def test_round_trip_is_exact(name, file, tmp_path):
    path, shapes = file(name), shapes_of(name)
    nn.save_weights(tmp_path / "own", nn.load_weights(path, shapes), naming=name)
    original, own = safetensors.load_file(path), safetensors.load_file(tmp_path / "own")
    if name == "gpt2":
        original = {key.removeprefix("transformer."): x for key, x in original.items()}
    if name == "roberta":
        original["roberta.embeddings.position_embeddings.weight"][:2] = 0
    assert own.keys() == original.keys()
    for key, x in original.items():
        np.testing.assert_array_equal(own[key], x)


def same_tree(a, b):
    assert all(jax.tree.leaves(jax.tree.map(np.array_equal, a, b)))


@pytest.mark.parametrize("name", LAYERS)
def test_an_encoder_alone_with_and_without_prefix(name, file, tmp_path):
    whole = nn.load_weights(file(name), shapes_of(name)).params["encoder"]
    alone = Variables(whole, {})
    same_tree(nn.load_weights(file(name), alone), alone)
    bare = file(name, rename=lambda key: key.removeprefix(PREFIX[name]))
    same_tree(nn.load_weights(bare, alone), alone)
    nn.save_weights(tmp_path / "own", alone, naming=name)
    same_tree(nn.load_weights(tmp_path / "own", alone), alone)
    same_tree(nn.load_weights(tmp_path / "own", Variables({"encoder": whole}, {})).params["encoder"], whole)
    assert not any(key.startswith(PREFIX[name]) for key in safetensors.load_file(tmp_path / "own"))


def test_old_names_of_norms_and_what_lies_beside(file):
    def old(key):
        return key.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")

    shapes = shapes_of("bert")
    expected = nn.load_weights(file("bert"), shapes)
    same_tree(nn.load_weights(file("bert", rename=old), shapes), expected)
    same_tree(nn.load_weights(file("bert", **{"bert.embeddings.position_ids": (1, 12)}), shapes), expected)
    gpt2 = nn.load_weights(file("gpt2"), shapes_of("gpt2"))
    masks = {"transformer.h.0.attn.bias": (1, 1, 12, 12), "transformer.h.0.attn.masked_bias": (1,)}
    same_tree(nn.load_weights(file("gpt2", **masks), shapes_of("gpt2")), gpt2)


def test_scores_by_another_table_are_refused(file):
    path, shapes = file("gpt2", **{"lm_head.weight": (40, 16)}), shapes_of("gpt2")
    with pytest.raises(ValueError, match=r"lm_head\.weight to be transformer\.wte\.weight once more"):
        nn.load_weights(path, shapes)
    nn.load_weights(path, shapes, ignore=("lm_head.weight",))
    tensors = safetensors.load_file(path)
    tensors["lm_head.weight"] = tensors["transformer.wte.weight"]
    safetensors.save_file(tensors, path)
    nn.load_weights(path, shapes)
    path = file("bert", **{"cls.predictions.decoder.weight": (40, 16)})
    with pytest.raises(ValueError, match="word_embeddings"):
        nn.load_weights(path, shapes_of("bert"))
    alone = Variables(shapes_of("bert").params["encoder"], {})
    nn.load_weights(path, alone)


def test_roberta_is_known_by_its_shapes(file, tmp_path):
    """Without a prefix its names are BERT's."""
    bare = file("roberta", rename=lambda key: key.removeprefix("roberta."))
    alone = Variables(shapes_of("roberta").params["encoder"], {})
    loaded = nn.load_weights(bare, alone)
    expected = normal("roberta.embeddings.position_embeddings.weight", (14, 16))[2:]
    np.testing.assert_array_equal(loaded.params["positions"], expected)
    nn.save_weights(tmp_path / "bert", loaded)
    assert safetensors.load_file(tmp_path / "bert")["embeddings.position_embeddings.weight"].shape == (12, 16)
    same_tree(nn.load_weights(tmp_path / "bert", alone), loaded)


def test_other_vocabularies_and_positions_are_named(file):
    shapes = shapes_of("bert")
    table = "bert.embeddings.word_embeddings.weight"
    with pytest.raises(ValueError, match=rf"{table} of shape \(40, 16\).*got \(41, 16\)"):
        nn.load_weights(file("bert", **{table: (41, 16)}), shapes)
    table = "bert.embeddings.position_embeddings.weight"
    with pytest.raises(ValueError, match=rf"{table} of shape \(12, 16\).*got \(20, 16\)"):
        nn.load_weights(file("bert", **{table: (20, 16)}), shapes)
    with pytest.raises(ValueError, match=r"missing: bert\.pooler\.dense\.bias; unknown: none"):
        nn.load_weights(file("bert", **{"bert.pooler.dense.bias": None}), shapes)


def test_what_no_file_holds(tmp_path):
    x = Text(jnp.zeros((1, 4), int))
    for options in ({}, {"max_length": 4, "gate": "gelu"}, {"max_length": 4, "embed_norm": True}):
        variables = nn.text_transformer(7, 8, 1, 2, **options).init(jax.random.key(0), x)
        with pytest.raises(ValueError, match=r"nn\.BERT"):
            nn.save_weights(tmp_path / "no", variables)
    bert = nn.text_transformer(7, 8, 1, 2, max_length=4, **nn.BERT).init(jax.random.key(0), x)
    with pytest.raises(ValueError, match="projector"):
        nn.save_weights(
            tmp_path / "no", Variables({"encoder": bert.params, "projector": {"kernel": jnp.zeros(1)}}, {})
        )
    with pytest.raises(ValueError, match="'bert' or 'roberta' only, got 'timm'"):
        nn.save_weights(tmp_path / "no", bert, naming="timm")
