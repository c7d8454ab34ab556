"""What the ImageNet experiments share."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import dinov2_imagenet, imagenet
from jssl import data, nn


@pytest.fixture
def task(monkeypatch):
    """Twenty images of 37 pixels for views of 32."""

    def images(name, data_dir, *, size):
        assert (name, data_dir) == ("imagenet2012", "here")
        pictures = np.arange(20 * size * size * 3).reshape(20, size, size, 3) % 251
        source = data.arrays(image=pictures.astype(np.uint8), label=np.arange(20))
        return data.DataSet(source, source)

    monkeypatch.setattr(data, "dataset", images)
    return imagenet.setting("here", 32, epochs=10, batch_size=4, index=True)


def test_images_are_somewhat_larger_than_views(task):
    example = task.data.train[3]
    assert example["image"].shape == (37, 37, 3)
    assert example["index"] == 3
    assert (task.epoch, task.steps) == (5, 50)
    assert (task.grid(8), task.local_size(), task.local_size(4)) == ((4, 4), 14, 12)


def test_the_sizes_are_the_published_ones_at_224():
    task = imagenet.Setting(None, 224, 4096, 1)
    assert (task.grid(14), task.local_size(), task.local_size(16)) == ((16, 16), 96, 96)


def test_networks_see_the_centre_and_views_as_they_are(task):
    x = jnp.asarray(task.data.test[0]["image"])
    centre = x[2:34, 2:34]
    np.testing.assert_array_equal(task.centre(x / 255), centre / 255)
    np.testing.assert_array_equal(task.centre(centre[:8, :8]), centre[:8, :8])
    expected = nn.patches(8)(centre)
    tokens = task.patches(8)(x / 255)
    np.testing.assert_allclose(tokens.values, expected.values, atol=1e-6)
    network = task.normalized(nn.resnet((1,), width=4))
    variables = network.init(jax.random.key(0), x[None])
    whole, cut = (network.apply(variables, y[None] / 255, train=False)[0] for y in (x, centre))
    np.testing.assert_allclose(whole, cut, rtol=1e-5)


def test_the_rate_rises_and_falls(task):
    rate = task.schedule(4.8, warmup=10, start=0.3, end=0.0048)
    assert rate(0) == pytest.approx(0.3)
    assert rate(5) == pytest.approx((4.8 + 0.3) / 2)
    assert rate(10) == pytest.approx(4.8)
    assert rate(30) == pytest.approx((4.8 + 0.0048) / 2)
    assert rate(50) == pytest.approx(0.0048)


def test_a_short_run_rises_for_half_of_it(task):
    assert task._replace(steps=4).schedule(1.0, warmup=10)(2) == pytest.approx(1.0)


def test_earlier_blocks_take_smaller_steps():
    ones = jnp.ones(2)
    names = ("embed", "cls", "block0", "block2", "norm")
    steps = {"encoder": {name: {"kernel": ones} for name in names}, "head": {"mlp": {"block0": ones}}}
    slower, _ = dinov2_imagenet.layerwise(0.5, depth=3).update(steps, ())
    found = {name: float(slower["encoder"][name]["kernel"][0]) for name in names}
    assert found == pytest.approx(
        {"embed": 0.2 / 16, "cls": 1 / 16, "block0": 1 / 8, "block2": 1 / 2, "norm": 1.0}
    )
    np.testing.assert_array_equal(slower["head"]["mlp"]["block0"], ones)


def test_networks_take_a_batch_in_parts(task):
    whole, parts = (x.transformer(32, 1, 1) for x in (task, task._replace(pieces=2)))
    tokens = jax.vmap(task.patches(8))(jnp.stack([task.data.train[i]["image"] for i in range(4)]) / 255)
    variables = whole.init(jax.random.key(0), tokens)
    expected, found = (
        jax.jit(lambda x, network=network: network.apply(variables, x, train=True))
        for network in (whole, parts)
    )
    np.testing.assert_allclose(found(tokens)[0], expected(tokens)[0], atol=0.05)
    assert "while" in found.lower(tokens).as_text()
    assert "while" not in expected.lower(tokens).as_text()
