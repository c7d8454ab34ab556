import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import core, methods, nn
from jssl.pretext import image
from tests import conformance


def flat(features):
    """A network of one linear layer over all values."""
    linear = nn.linear(features)

    def apply(variables, x, *, train, key=None):
        return linear.apply(variables, x.reshape(len(x), -1), train=train, key=key)

    return core.Encoder(lambda key, x: linear.init(key, x.reshape(len(x), -1)), apply)


def evaluate(method, batch):
    params, state = jax.jit(method.init)(jax.random.key(0), batch)
    value, (_, metrics) = jax.jit(method.loss)(
        params, state, batch, key=jax.random.key(1), step=jnp.asarray(0)
    )
    return params, state, value, metrics


def test_the_loss_compares_with_the_uncorrupted_example():
    batch = conformance.batch()
    x = np.asarray(batch["image"] / 255)
    method = methods.autoencoder(
        encoder=flat(5), decoder=nn.linear(192), corrupt=lambda key, x: jnp.zeros_like(x)
    )
    params, state, value, metrics = evaluate(method, batch)
    restored = np.broadcast_to(params["decoder"]["bias"], (16, 192)).reshape(x.shape)
    np.testing.assert_allclose(value, np.mean((restored - x) ** 2), rtol=1e-5)
    expected = 1 - np.mean((restored - x) ** 2) / x.reshape(16, -1).var()
    np.testing.assert_allclose(metrics["reconstruction/explained"], expected, rtol=1e-3)
    pictures = jax.jit(method.show)(params, state, batch, key=jax.random.key(2))["reconstruction"]
    given, shown, original = np.moveaxis(pictures, 1, 0)
    assert (given == 0).all()
    np.testing.assert_allclose(shown, np.clip(restored, 0, 1), atol=1e-6)
    np.testing.assert_allclose(original, x, atol=1e-6)


@pytest.mark.parametrize(
    "corrupt",
    [None, image.gaussian_noise(std=0.2), image.masking_noise(), image.erase_blocks()],
    ids=["plain", "noise", "masking", "blocks"],
)
def test_kinds_of_corruption(corrupt):
    batch = conformance.batch()
    method = methods.autoencoder(encoder=flat(5), decoder=nn.mlp((6, 192), norm=None), corrupt=corrupt)
    _, _, value, _ = evaluate(method, batch)
    assert np.isfinite(value)


def test_each_example_is_corrupted_by_itself():
    batch = conformance.batch()
    batch["image"] = jnp.broadcast_to(batch["image"][:1], batch["image"].shape)
    method = methods.autoencoder(
        encoder=flat(5), decoder=nn.linear(192), corrupt=image.masking_noise(probability=0.5)
    )
    params, state, _, _ = evaluate(method, batch)
    given = jax.jit(method.show)(params, state, batch, key=jax.random.key(2))["reconstruction"][:, 0]
    assert len(np.unique(np.asarray(given).reshape(16, -1), axis=0)) == 16


def test_diagnosis():
    judge = methods.autoencoder(encoder=flat(5), decoder=nn.linear(192)).diagnose
    assert judge({"reconstruction/explained": 0.5}) == []
    assert "corrupt" in judge({"reconstruction/explained": 0.0})[0]


def test_a_decoder_of_another_size_is_refused():
    method = methods.autoencoder(encoder=flat(5), decoder=nn.linear(100))
    with pytest.raises(ValueError, match="conv_decoder"):
        method.init(jax.random.key(0), conformance.batch())
