from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jssl
from jssl import data, encoding, methods, nn

from . import tiny

SENTENCES = [
    "the sea is blue",
    "a ship",
    "",
    "the ship is on the sea and the sea is deep and the ship is old " * 3,
]
LENGTH = 40


@pytest.fixture(scope="module")
def tokenizer():
    return data.text.train_wordpiece(SENTENCES * 30, size=60)


def experiment(tokenizer, method=None, length=LENGTH, **changes):
    rows = data.text.encoded([text for text in SENTENCES if text] * 4, tokenizer, length)
    encoder = nn.text_transformer(tokenizer.size, 16, 1, 2, max_length=length, **nn.BERT)
    if method is None:
        method = methods.simcse(encoder=encoder, pad=tokenizer.special.pad)
    made = jssl.Experiment(
        name="sentences",
        data=data.DataSet(rows, None),
        method=method,
        optimizer=optax.adam(1e-3),
        steps=1,
        batch_size=8,
        inputs="tokens",
        pad=tokenizer.special.pad,
        tokenizer=tokenizer,
    )
    return replace(made, **changes)


@pytest.fixture(scope="module")
def run(tokenizer, tmp_path_factory):
    return jssl.run(experiment(tokenizer), run_dir=tmp_path_factory.mktemp("sentences"), mesh="data=1")


def test_encoded_sentences_are_embedded_rows_in_their_order(run, tokenizer):
    rows = data.as_arrays(data.text.encoded(SENTENCES, tokenizer, LENGTH))["tokens"]
    found = run.encode(SENTENCES)
    assert found.shape == (4, 16)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, run.embed(rows), atol=1e-5)
    np.testing.assert_allclose(run.encode(SENTENCES[::-1], batch_size=1), found[::-1], atol=1e-5)


def test_few_shapes_are_embedded(run):
    shapes = set()

    def embed(rows, *, batch_size):
        shapes.add((rows.shape[1], batch_size))
        return np.zeros((len(rows), 2), np.float32)

    words = ["sea", "ship", "blue", "deep"]
    many = [" ".join(words[(i + j) % 4] for j in range(i % 50)) for i in range(200)]
    encoding.encode(run.experiment, embed, many, batch_size=32)
    assert shapes == {(16, 32), (32, 32), (40, 32)}


@runtime_checkable
class EncoderProtocol(Protocol):
    """What MTEB asks of a model: the names in its `models_protocols.EncoderProtocol`."""

    def encode(self, inputs, *, task_metadata, hf_split, hf_subset, prompt_type=None, **kwargs) -> Any: ...

    def similarity(self, embeddings1, embeddings2) -> Any: ...

    def similarity_pairwise(self, embeddings1, embeddings2) -> Any: ...

    @property
    def mteb_model_meta(self) -> Any: ...


def test_as_mteb_calls_it(run):
    assert isinstance(run, EncoderProtocol)
    batches = [{"text": SENTENCES[:3], "id": [1, 2, 3]}, {"text": SENTENCES[3:]}]
    options = {"task_metadata": object(), "hf_split": "test", "hf_subset": "default", "prompt_type": None}
    found = run.encode(batches, batch_size=2, show_progress_bar=False, **options)
    np.testing.assert_allclose(found, run.encode(SENTENCES), atol=1e-5)
    likeness = run.similarity(found, found[:2])
    assert likeness.shape == (4, 2)
    np.testing.assert_allclose(np.diag(likeness), 1, atol=1e-6)
    np.testing.assert_allclose(
        run.similarity_pairwise(found[:2], found[2:]),
        np.diag(run.similarity(found[:2], found[2:])),
        atol=1e-6,
    )
    # So its evaluation of summaries asks for the likeness of two.
    assert float(run.similarity(found[0], found[1])) == pytest.approx(likeness[0, 1])


def test_without_padding_each_length_is_embedded_alone():
    tokenizer = data.text.character_tokenizer(SENTENCES)
    rows = data.text.split(SENTENCES, tokenizer, 17)
    encoder = nn.text_transformer(tokenizer.size, 8, 1, 2, max_length=16, **nn.GPT2)
    method = methods.clm(encoder=encoder)
    made = jssl.Experiment(
        "writer", data.DataSet(rows, None), method, optax.sgd(0.1), 1, 2, inputs="tokens", tokenizer=tokenizer
    )
    params, state = method.init(jax.random.key(0), {"tokens": jnp.zeros((2, 17), jnp.int32)})

    def embed(rows, *, batch_size):
        return np.asarray(method.embed(params, state, jnp.asarray(rows)))

    found = encoding.encode(made, embed, ["a ship", "a sea", "a ship on the blue sea"], batch_size=4)
    alone = embed(tokenizer.encode("a sea")[None], batch_size=1)
    np.testing.assert_allclose(found[1], alone[0], atol=1e-5)
    with pytest.raises(ValueError, match="an empty one"):
        encoding.encode(made, embed, ["a", ""], batch_size=4)


def test_bad_arguments_say_what_was_expected(run, tmp_path):
    for wrong in ("a sentence", []):
        with pytest.raises(ValueError, match="expected a list of"):
            run.encode(wrong)
    images = run._replace(experiment=tiny.FACTORIES["simclr"]())
    with pytest.raises(ValueError, match=r'tokenizer=.*embeds "image", use embed'):
        images.encode(["a"])
