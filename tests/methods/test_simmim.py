import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import core, methods, nn, pretext
from tests import conformance
from tests.methods.spy import spy
from tests.nn.compiled import apply

ENCODER = nn.transformer(16, 1, 2, cls_token=True, mask_token=True)


def simmim(**options):
    defaults = {"tokenizer": nn.patches(2), "encoder": ENCODER, "untokenize": nn.unpatchify}
    return methods.simmim(**{**defaults, **options})


@pytest.mark.parametrize("normalize", [False, True])
def test_the_loss_is_that_of_masked_tokens(normalize):
    batch, seen = conformance.batch(), []
    moments = {"mean": (0.4, 0.5, 0.6), "std": (0.2, 0.3, 0.25)}
    method = simmim(encoder=spy(ENCODER, seen), mask_ratio=0.7, normalize=normalize, **moments)
    params, state = method.init(jax.random.key(0), batch)
    value, _ = method.loss(params, state, batch, key=jax.random.key(1), step=jnp.asarray(0))
    tokens = seen[-1][1]
    mask = np.asarray(tokens.masked)
    assert mask.sum(1).tolist() == [12] * 16  # all but floor(16 * 0.3)
    assert len(np.unique(mask, axis=0)) > 8, "each example has a mask of its own"
    image = (np.asarray(batch["image"]) / 255 - [0.4, 0.5, 0.6]) / [0.2, 0.3, 0.25]
    patches = image.reshape(16, 4, 2, 4, 2, 3).swapaxes(2, 3).reshape(16, 16, 12)
    np.testing.assert_allclose(tokens.values, patches, atol=1e-4)
    features, _ = apply(ENCODER, core.Variables(params["encoder"], {}), tokens, train=True)
    assert features.shape == (16, 17, 16)
    head = params["head"]
    prediction = np.asarray(features[:, 1:] @ head["kernel"] + head["bias"].reshape(1, 1, -1))
    if normalize:
        patches = (patches - patches.mean(2, keepdims=True)) / patches.std(2, keepdims=True, ddof=1)
    np.testing.assert_allclose(value, np.abs(prediction - patches)[mask].mean(), rtol=1e-4)


def test_what_is_masked_does_not_reach_the_prediction():
    batch, seen = conformance.batch(), []
    method = simmim(encoder=spy(ENCODER, seen))
    params, state = method.init(jax.random.key(0), batch)
    method.loss(params, state, batch, key=jax.random.key(1), step=jnp.asarray(0))
    tokens = seen[-1][1]
    other = jnp.where(tokens.masked[..., None], 9.0, tokens.values)
    variables = core.Variables(params["encoder"], {})
    a, _ = apply(ENCODER, variables, tokens)
    b, _ = apply(ENCODER, variables, tokens._replace(values=other))
    np.testing.assert_array_equal(a, b)


def test_masks_of_ones_own():
    batch, seen = conformance.batch(), []
    method = simmim(
        encoder=spy(ENCODER, seen), mask=lambda key, n: pretext.block_mask(key, (4, 4), 0.5, block=(0.2, 0.5))
    )
    params, state = method.init(jax.random.key(0), batch)
    method.loss(params, state, batch, key=jax.random.key(1), step=jnp.asarray(0))
    assert seen[-1][1].masked.sum(1).tolist() == [8] * 16


@pytest.mark.parametrize("normalize", [False, True])
def test_pictures(normalize):
    batch = conformance.batch()
    method = simmim(mean=0.5, std=0.25, normalize=normalize)
    params, state = jax.jit(method.init)(jax.random.key(0), batch)
    hidden, filled, original = np.moveaxis(
        jax.jit(method.show)(params, state, batch, key=jax.random.key(1))["reconstruction"], 1, 0
    )
    np.testing.assert_allclose(original, batch["image"] / 255, atol=1e-5)
    same = np.isclose(filled, original, atol=1e-5).all(-1)
    assert 0.3 < same.mean() < 0.45
    np.testing.assert_allclose(hidden[same], original[same], atol=1e-5)
    assert simmim(untokenize=None).show is None


def test_diagnosis():
    judge = simmim().diagnose
    assert judge({"reconstruction/explained": 0.3}) == []
    assert "mask_ratio" in judge({"reconstruction/explained": -0.1})[0]


def test_wrong_arguments():
    for options in ({"mask_ratio": 1.0}, {"std": 0.0}, {"std": (0.1, -1.0)}):
        with pytest.raises(ValueError, match="expected"):
            simmim(**options)
    with pytest.raises(ValueError, match="mask_token=True"):
        simmim(encoder=nn.transformer(16, 1, 2)).init(jax.random.key(0), conformance.batch())
    with pytest.raises(ValueError, match="each channel"):
        simmim(mean=(0.1,) * 5).init(jax.random.key(0), conformance.batch())
