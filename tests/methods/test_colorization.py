import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import core, methods, nn
from jssl.pretext import image
from tests import conformance
from tests.methods.spy import spy

CENTERS = image.color_classes(40.0)


def colorization(**options):
    defaults = {
        "encoder": conformance.resnet(),
        "decoder": nn.conv_decoder((4, 4, 8), width=4, stages=1),
        "spacing": 40.0,
    }
    return methods.colorization(**{**defaults, **options})


def evaluate(method, state_of=lambda state: state, step=0):
    batch = conformance.batch()
    params, state = method.init(jax.random.key(0), batch)
    return method.loss(params, state_of(state), batch, key=jax.random.key(1), step=jnp.asarray(step)), params


def test_the_network_sees_lightness_only():
    seen = []
    evaluate(colorization(encoder=spy(conformance.resnet(), seen)))
    given = np.asarray(seen[-1][1])
    np.testing.assert_allclose(given, np.broadcast_to(given[..., :1], given.shape), atol=1e-3)
    lab = image.rgb_to_lab(conformance.batch()["image"] / 255)
    np.testing.assert_allclose(image.rgb_to_lab(jnp.asarray(given))[..., 0], lab[..., 0], atol=0.05)


def given(logits):
    """A decoder that gives these features for every example; the linear head then sees them."""

    def apply(variables, x, *, train, key=None):
        return jnp.broadcast_to(logits[None], (len(x), *logits.shape)) + 0 * variables.params["w"], {}

    return core.Encoder(lambda key, x: core.Variables({"w": jnp.zeros((1, 1, 1, 1))}, {}), apply)


def test_the_loss_by_hand():
    features = jax.random.normal(jax.random.key(3), (4, 4, 6))
    frequency = np.random.default_rng(0).dirichlet(np.ones(len(CENTERS))).astype(np.float32)
    method = colorization(decoder=given(features), rebalance=0.3, decay=0.9)
    (value, (state, metrics)), params = evaluate(
        method, lambda state: state._replace(frequency=jnp.asarray(frequency)), step=1000
    )
    logits = np.asarray(features @ params["head"]["kernel"] + params["head"]["bias"].reshape(1, 1, -1))
    log_p = (logits - np.log(np.exp(logits).sum(-1, keepdims=True)))[None]
    ab = np.asarray(image.rgb_to_lab(conformance.batch()["image"] / 255))[..., 1:]
    ab = ab.reshape(16, 4, 2, 4, 2, 2).mean((2, 4))
    z = np.asarray(image.soft_color_classes(jnp.asarray(ab), CENTERS), np.float64)
    weight = 1 / (0.7 * frequency + 0.3 / len(CENTERS))
    weight = weight / (frequency * weight).sum()
    np.testing.assert_allclose((frequency * weight).sum(), 1)
    v = weight[z.argmax(-1)]
    np.testing.assert_allclose(value, -(v * (z * log_p).sum(-1)).mean(), rtol=1e-4)
    np.testing.assert_allclose(metrics["classification/chance"], value / np.log(len(CENTERS)), rtol=1e-5)
    np.testing.assert_allclose(state.frequency, 0.9 * frequency + 0.1 * z.mean((0, 1, 2)), rtol=1e-4)
    np.testing.assert_allclose(state.frequency.sum(), 1, rtol=1e-4)


def test_the_first_batches_count_alike():
    """So that the mean weight of what is seen is 1 from the second step on."""
    batch, method = conformance.batch(), colorization(decay=0.99)
    params, state = jax.jit(method.init)(jax.random.key(0), batch)
    loss, other = jax.jit(method.loss), {"image": batch["image"] // 2}
    step = [jnp.asarray(index) for index in range(2)]
    key = jax.random.key(1)
    _, (first, _) = loss(params, state, batch, key=key, step=step[0])
    _, (alone, _) = loss(params, state, other, key=jax.random.clone(key), step=step[0])
    _, (both, _) = loss(params, first, other, key=jax.random.clone(key), step=step[1])
    np.testing.assert_allclose(both.frequency, (first.frequency + alone.frequency) / 2, atol=1e-6)


def test_maps_as_features():
    """An encoder may keep places apart; the features for use are then their mean."""
    maps = core.Encoder(
        lambda key, x: core.Variables({"w": jnp.ones((1, 1, 1, 1))}, {}),
        lambda variables, x, *, train, key=None: (x[:, ::4, ::4] * variables.params["w"], {}),
    )
    method = colorization(encoder=maps)
    batch = conformance.batch()
    params, state = method.init(jax.random.key(0), batch)
    value, _ = method.loss(params, state, batch, key=jax.random.key(1), step=jnp.asarray(0))
    assert np.isfinite(value)
    gray = image.lightness(batch["image"] / 255)
    expected = gray[:, ::4, ::4].mean((1, 2))
    np.testing.assert_allclose(method.embed(params, state, batch["image"]), expected, atol=1e-5)


def test_pictures():
    batch = conformance.batch()
    method = colorization()
    params, state = jax.jit(method.init)(jax.random.key(0), batch)
    gray, colored, original = np.moveaxis(
        jax.jit(method.show)(params, state, batch, key=jax.random.key(1))["colors"], 1, 0
    )
    np.testing.assert_allclose(original, batch["image"] / 255, atol=1e-6)
    np.testing.assert_allclose(gray, image.lightness(jnp.asarray(original)), atol=1e-5)
    assert colored.shape == original.shape


def test_diagnosis():
    judge = colorization().diagnose
    assert judge({"classification/chance": 0.5}) == []
    assert "rebalance" in judge({"classification/chance": 0.99})[0]


def test_wrong_arguments():
    for options in ({"rebalance": 0.0}, {"decay": 1.0}, {"temperature": 0.0}, {"spacing": 0.0}):
        with pytest.raises(ValueError, match="expected"):
            colorization(**options)
    with pytest.raises(ValueError, match="in colour"):
        colorization().init(jax.random.key(0), {"image": jnp.zeros((2, 8, 8, 1))})
    decoder = nn.conv_decoder((6, 6, 8), width=4, stages=1)
    with pytest.raises(ValueError, match="divides the image"):
        colorization(decoder=decoder).init(jax.random.key(0), conformance.batch())
