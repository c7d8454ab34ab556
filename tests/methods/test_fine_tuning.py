"""Losses of labels by hand, from hidden states; an encoder that is frozen, whatever the optimizer does."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen

from jssl import core, methods, nn, scoring, train
from jssl.core import Variables
from jssl.data import DataSet, arrays
from tests import conformance
from tests.nn.compiled import apply

BATCH = conformance.batch()
ENCODER = nn.text_transformer(30, 16, 1, 2, max_length=16, **nn.BERT)


def begin(method, batch=BATCH):
    return jax.jit(method.init)(jax.random.key(0), batch)


def loss_of(method, params, state, batch, key=1):
    function = jax.jit(method.loss)
    return function(params, state, batch, key=jax.random.key(key), step=jnp.asarray(0, jnp.int32))


def hidden(variables, tokens, segments):
    h, _ = apply(ENCODER, variables, core.Text(tokens, segments))
    return np.asarray(h, np.float64)


def mean_of(h, segments):
    there = np.asarray(segments > 0, np.float64)[..., None]
    return (h * there).sum(1) / there.sum(1)


def linear(head, z):
    return z @ np.asarray(head["kernel"], np.float64) + np.asarray(head["bias"], np.float64)


def errors(logits, labels):
    """-log softmax of each row at its own label."""
    exponents = np.exp(logits)
    p = np.take_along_axis(exponents, np.maximum(labels, 0)[..., None], -1)[..., 0] / exponents.sum(-1)
    return -np.log(p)


@pytest.mark.parametrize("pool", ["mean", "first"])
def test_classes_by_hand(pool):
    pooler = nn.pooler() if pool == "first" else None
    method = methods.classifier(encoder=ENCODER, num_classes=4, pooler=pooler, dropout=0.0, pool=pool)
    labels = np.asarray(BATCH["label"]).copy()
    labels[[2, 9]] = -1
    batch = {**BATCH, "label": jnp.asarray(labels)}
    params, state = begin(method, batch)
    h = hidden(Variables(params["encoder"], {}), batch["tokens"], batch["segments"])
    z = mean_of(h, batch["segments"]) if pool == "mean" else h[:, 0]
    if pooler is not None:
        z = np.tanh(linear(params["pooler"]["dense"], z))
    logits, counted = linear(params["head"], z), labels >= 0
    value, (_, metrics) = loss_of(method, params, state, batch)
    np.testing.assert_allclose(value, errors(logits, labels)[counted].mean(), rtol=1e-5)
    right = logits.argmax(1) == labels
    np.testing.assert_allclose(metrics["label/accuracy"], right[counted].mean(), rtol=1e-6)

    predicted, targets = jax.jit(method.predict)(params, state, batch)
    np.testing.assert_array_equal(predicted, logits.argmax(1))
    np.testing.assert_array_equal(targets, labels)
    weight = np.arange(16) < 11
    weighed = {**batch, "weight": jnp.asarray(weight, jnp.float32)}
    score = jax.jit(method.score)(params, state, weighed, key=jax.random.key(2))
    own = weight & counted
    np.testing.assert_allclose(score["loss"], [errors(logits, labels)[own].sum(), own.sum()], rtol=1e-5)
    np.testing.assert_allclose(score["label/accuracy"], [right[own].sum(), own.sum()], rtol=1e-5)


def test_tags_by_hand():
    method = methods.tagger(encoder=ENCODER, num_classes=3, dropout=0.0)
    params, state = begin(method)
    labels = np.asarray(BATCH["labels"])
    counted = labels >= 0
    assert 0 < counted.sum() < (np.asarray(BATCH["segments"]) > 0).sum()
    h = hidden(Variables(params["encoder"], {}), BATCH["tokens"], BATCH["segments"])
    logits = linear(params["head"], h)
    value, (_, metrics) = loss_of(method, params, state, BATCH)
    np.testing.assert_allclose(value, errors(logits, labels)[counted].mean(), rtol=1e-5)
    right = logits.argmax(-1) == labels
    np.testing.assert_allclose(metrics["label/accuracy"], right[counted].mean(), rtol=1e-6)
    predicted, targets = jax.jit(method.predict)(params, state, BATCH)
    np.testing.assert_array_equal(predicted, logits.argmax(-1))
    np.testing.assert_array_equal(targets, labels)
    weight = jnp.asarray(np.arange(16) < 7, jnp.float32)
    score = jax.jit(method.score)(params, state, {**BATCH, "weight": weight}, key=jax.random.key(2))
    own = counted & (np.arange(16) < 7)[:, None]
    np.testing.assert_allclose(score["loss"], [errors(logits, labels)[own].sum(), own.sum()], rtol=1e-5)


def test_similarity_by_hand():
    method = methods.similarity(encoder=ENCODER, pad=0, inputs="pairs")
    params, state = begin(method)
    sides = []
    for side in (0, 1):
        tokens = BATCH["pairs"][:, side]
        there = (tokens != 0).astype(jnp.int32)
        z = mean_of(hidden(Variables(params["encoder"], {}), tokens, there), there)
        sides.append(z / np.linalg.norm(z, axis=1, keepdims=True))
    cosines, scores = (sides[0] * sides[1]).sum(1), np.asarray(BATCH["score"])
    value, _ = loss_of(method, params, state, BATCH)
    np.testing.assert_allclose(value, ((cosines - scores) ** 2).mean(), rtol=1e-5)
    predicted, targets = jax.jit(method.predict)(params, state, BATCH)
    np.testing.assert_allclose(predicted, cosines, atol=1e-6)
    np.testing.assert_array_equal(targets, scores)
    weight = np.arange(16) < 5
    weighed = {**BATCH, "weight": jnp.asarray(weight, jnp.float32)}
    total, count = jax.jit(method.score)(params, state, weighed, key=jax.random.key(2))["loss"]
    np.testing.assert_allclose([total, count], [((cosines - scores) ** 2)[:5].sum(), 5], rtol=1e-5)
    with pytest.raises(ValueError, match=r"pairs of rows .* got \(16, 12\)"):
        methods.similarity(encoder=ENCODER).init(jax.random.key(0), BATCH)


def test_without_segments_the_pad_token_says_what_is_padding():
    method = methods.classifier(encoder=ENCODER, num_classes=4, dropout=0.0, pad=0)
    params, state = begin(method)
    bare = {name: BATCH[name] for name in ("tokens", "label")}
    (a, _), (b, _) = (loss_of(method, params, state, batch) for batch in (BATCH, bare))
    np.testing.assert_allclose(a, b, rtol=1e-6)


def test_the_head_s_input_is_dropped_in_training_only():
    method = methods.classifier(encoder=ENCODER, num_classes=4, dropout=0.5)
    params, state = begin(method)
    first, second, again = (float(loss_of(method, params, state, BATCH, key)[0]) for key in (1, 2, 1))
    assert first == again != second
    score = jax.jit(method.score)(params, state, BATCH, key=jax.random.key(1))
    assert float(score["loss"].weight) == 16


class Normed(linen.Module):
    """Hidden states by a table, dropout and batch norm: all that changes in training."""

    @linen.compact
    def __call__(self, text, *, train):
        h = linen.Embed(30, 8)(text.tokens)
        h = linen.Dropout(0.5, deterministic=not train)(h)
        return linen.BatchNorm(not train, momentum=0.5)(h)


@pytest.mark.parametrize("make", [methods.classifier, methods.tagger])
def test_a_frozen_encoder_does_not_change_in_any_way(make):
    encoder = nn.linen(Normed())
    method = make(encoder=encoder, num_classes=4, dropout=0.0, freeze=True)
    optimizer = optax.adamw(1e-2, weight_decay=0.5)
    batch = {**BATCH, "labels": jnp.maximum(BATCH["labels"], 0)}
    state = train.init_state(method, optimizer, jax.random.key(0), batch)
    assert set(state.params) == {"head"}
    features = functools.partial(jax.jit(method.embed), inputs=batch["tokens"])
    before = features(state.params, state.method_state)
    values = [float(loss_of(method, state.params, state.method_state, batch, key)[0]) for key in (1, 2)]
    assert values[0] == values[1]
    started = jax.tree.map(np.asarray, (state.params, state.method_state))
    step = jax.jit(train.make_step(method, optimizer))
    for _ in range(3):
        state, _ = step(state, batch)
    assert all(jax.tree.leaves(jax.tree.map(np.array_equal, state.method_state, started[1])))
    assert not any(jax.tree.leaves(jax.tree.map(np.array_equal, state.params, started[0])))
    np.testing.assert_array_equal(features(state.params, state.method_state), before)


@pytest.mark.parametrize("num", [1, 8])
def test_all_test_examples_are_predicted_in_their_order(num, monkeypatch):
    method = methods.classifier(encoder=ENCODER, num_classes=4, dropout=0.0)
    mesh = train.device_mesh(jax.devices()[:num])
    spread, whole = train.batch_sharding(mesh), train.replicated(mesh)
    params, method_state = jax.device_put(begin(method), whole)
    state = core.TrainState(jnp.asarray(0), params, method_state, (), jax.random.key(0))
    test = arrays(**{name: np.asarray(BATCH[name])[:13] for name in ("tokens", "segments", "label")})
    monkeypatch.setattr(scoring, "ROWS", 4)
    predict = scoring.make_predict(method, spread=spread, whole=whole)
    predicted, labels = predict(state, DataSet(test, test))
    expected, _ = jax.jit(method.predict)(*begin(method), BATCH)
    np.testing.assert_array_equal(predicted, expected[:13])
    np.testing.assert_array_equal(labels, BATCH["label"][:13])
    with pytest.raises(ValueError, match="test source"):
        predict(state, DataSet(test, None))
    with pytest.raises(ValueError, match="with `predict`"):
        scoring.make_predict(method._replace(predict=None), spread=spread, whole=whole)


def test_wrong_heads_are_refused():
    with pytest.raises(ValueError, match="2 classes or more and a dropout in"):
        methods.classifier(encoder=ENCODER, num_classes=1)
    with pytest.raises(ValueError, match="2 classes or more and a dropout in"):
        methods.tagger(encoder=ENCODER, num_classes=3, dropout=1.0)
