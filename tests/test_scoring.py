import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import data, methods, nn, scoring, train
from jssl.core import Share, Text, TrainState, Variables

VOCAB, LENGTH, ROWS = 11, 6, 21


@pytest.fixture(scope="module")
def clm():
    encoder = nn.text_transformer(VOCAB, 8, 1, 2, max_length=LENGTH, dropout=0.5, **nn.GPT2)
    method = methods.clm(encoder=encoder, pad=0)
    rng = np.random.default_rng(0)
    tokens = rng.integers(1, VOCAB, (ROWS, LENGTH)).astype(np.int32)
    segments = (np.arange(LENGTH)[None] < rng.integers(2, LENGTH + 1, ROWS)[:, None]).astype(np.int32)
    source = data.arrays(tokens=np.where(segments, tokens, 0), segments=segments)
    params, state = method.init(jax.random.key(0), {"tokens": jnp.zeros((2, LENGTH), jnp.int32)})
    params = jax.tree.map(lambda x: 0.3 * jax.random.normal(jax.random.key(x.size), x.shape), params)
    whole = TrainState(jnp.zeros((), jnp.int32), params, state, (), jax.random.key(0))
    return encoder, method, whole, data.DataSet(source, source)


def scorer(method, devices=1):
    mesh = train.device_mesh(jax.devices()[:devices])
    return scoring.make_score(method, spread=train.batch_sharding(mesh), whole=train.replicated(mesh))


def naive(encoder, params, source):
    """Over all counted tokens at once, in float64."""
    arrays = data.as_arrays(source)
    tokens, segments = arrays["tokens"], arrays["segments"]
    variables = Variables(params["encoder"], {})
    text = Text(jnp.asarray(tokens[:, :-1]), jnp.asarray(segments[:, :-1]))
    h, _ = encoder.apply(variables, text, train=False)
    scores = np.asarray(h, np.float64) @ np.asarray(params["encoder"]["tokens"], np.float64).T
    log_p = scores - np.log(np.exp(scores).sum(-1, keepdims=True))
    counted = segments[:, 1:] > 0
    own = np.take_along_axis(log_p, tokens[:, 1:, None], -1)[..., 0]
    right = scores.argmax(-1) == tokens[:, 1:]
    return -own[counted].mean(), right[counted].mean()


@pytest.mark.parametrize("rows", [4, 7, 21, 64])
def test_every_token_counts_once_however_the_rows_fall_into_batches(clm, rows, monkeypatch):
    encoder, method, state, examples = clm
    monkeypatch.setattr(scoring, "ROWS", rows)
    found = scorer(method)(state, jax.random.key(1), examples)
    loss, accuracy = naive(encoder, state.params, examples.test)
    assert found == pytest.approx({"loss": loss, "token/accuracy": accuracy}, rel=1e-5)


def test_devices_do_not_change_it(clm):
    _, method, state, examples = clm
    mesh = train.device_mesh(jax.devices())
    spread = state._replace(params=jax.device_put(state.params, train.replicated(mesh)))
    one, eight = scorer(method), scorer(method, devices=8)
    key = jax.random.key(1)
    assert eight(spread, key, examples) == pytest.approx(
        one(state, jax.random.clone(key), examples), rel=1e-5
    )


def test_the_mean_is_over_weights_not_over_batches(clm, monkeypatch):
    """Examples of unequal weight: the mean of the batches' means would be another number."""
    _, method, state, _ = clm
    monkeypatch.setattr(scoring, "ROWS", 2)

    def score(params, state, batch, *, key):
        return {"loss": Share(jnp.sum(batch["x"] * batch["weight"]), jnp.sum(batch["n"] * batch["weight"]))}

    source = data.arrays(x=np.array([4.0, 5.0, 6.0], np.float32), n=np.array([1.0, 2.0, 4.0], np.float32))
    found = scorer(method._replace(score=score))(state, jax.random.key(0), data.DataSet(source, source))
    assert found == {"loss": pytest.approx(15 / 7)}


def test_what_cannot_be_scored_says_so(clm):
    _, method, state, examples = clm
    with pytest.raises(ValueError, match="needs a method with `score`"):
        scorer(method._replace(score=None))
    with pytest.raises(ValueError, match="needs a test source"):
        scorer(method)(state, jax.random.key(0), examples._replace(test=None))
