"""Sentence embeddings by published weights, which tests/golden/minilm.py wrote."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import nn
from jssl.core import Text, Variables
from tests.nn.compiled import apply

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "minilm.npz")
FOLDER = Path.home() / ".cache" / "jssl-data" / "minilm"


@pytest.fixture(scope="module")
def weights():
    if not (FOLDER / "model.safetensors").exists():
        pytest.skip(f"needs sentence-transformers/all-MiniLM-L6-v2 in {FOLDER}: get.py minilm")
    return FOLDER / "model.safetensors"


@pytest.fixture(scope="module")
def shapes():
    encoder = nn.text_transformer(30522, 384, 6, 12, max_length=512, **nn.BERT)
    return encoder, jax.eval_shape(encoder.init, jax.random.key(0), Text(jnp.zeros((1, 2), jnp.int32)))


def embeddings_of(h, there):
    mean = np.sum(np.asarray(h, np.float64) * there[..., None], axis=1) / there.sum(1, keepdims=True)
    return mean / np.linalg.norm(mean, axis=1, keepdims=True)


def test_sentence_embeddings_are_equal(weights, shapes):
    encoder, variables = shapes[0], nn.load_weights(weights, shapes[1])
    there = np.arange(GOLDEN["tokens"].shape[1]) < GOLDEN["lengths"][:, None]
    h, _ = apply(encoder, variables, Text(jnp.asarray(GOLDEN["tokens"]), jnp.asarray(there, jnp.int32)))
    found = embeddings_of(h, there)
    cosines = np.sum(found * GOLDEN["embeddings"], axis=1)
    assert len(cosines) == 12
    assert cosines.min() > 0.99999
    np.testing.assert_allclose(found, GOLDEN["embeddings"], atol=1e-5)


def test_the_pooler_is_read_too(weights, shapes, tmp_path):
    pooler = jax.eval_shape(nn.pooler().init, jax.random.key(0), jnp.zeros((1, 2, 384)))
    whole = Variables({"encoder": shapes[1].params, "pooler": pooler.params}, {})
    variables = nn.load_weights(weights, whole)
    nn.save_weights(tmp_path / "own", variables)
    again = nn.load_weights(tmp_path / "own", whole)
    assert all(jax.tree.leaves(jax.tree.map(np.array_equal, again, variables)))
