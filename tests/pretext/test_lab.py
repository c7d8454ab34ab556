"""Lab and the classes of colours; golden values are scikit-image's (tests/golden/make_predictive.py)."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.pretext import image

with np.load(Path(__file__).parents[1] / "golden" / "predictive.npz") as stored:
    GOLDEN = {key: stored[key] for key in stored if key.startswith("lab/")}


def test_lab_equals_scikit_image():
    with jax.enable_x64(True):
        lab = jax.jit(image.rgb_to_lab)(jnp.asarray(GOLDEN["lab/rgb"]))
    np.testing.assert_allclose(lab, GOLDEN["lab/lab"], rtol=1e-6, atol=1e-6)
    single = jax.jit(image.rgb_to_lab)(jnp.asarray(GOLDEN["lab/rgb"], jnp.float32))
    np.testing.assert_allclose(single, GOLDEN["lab/lab"], atol=1e-4)


def test_rgb_equals_scikit_image_beyond_its_gamut():
    with jax.enable_x64(True):
        rgb = jax.jit(image.lab_to_rgb)(jnp.asarray(GOLDEN["lab/wide"]))
    np.testing.assert_allclose(rgb, GOLDEN["lab/wide_rgb"], atol=1e-6)


def test_there_and_back():
    rgb = jax.random.uniform(jax.random.key(0), (5, 6, 3))
    np.testing.assert_allclose(image.lab_to_rgb(image.rgb_to_lab(rgb)), rgb, atol=1e-4)


def test_lightness_is_gray_and_keeps_itself():
    rgb = jax.random.uniform(jax.random.key(0), (4, 4, 3))
    gray = image.lightness(rgb)
    np.testing.assert_allclose(gray, jnp.broadcast_to(gray[..., :1], gray.shape), atol=1e-4)
    np.testing.assert_allclose(image.rgb_to_lab(gray)[..., 0], image.rgb_to_lab(rgb)[..., 0], atol=1e-2)
    np.testing.assert_allclose(image.lightness(gray), gray, atol=1e-4)


def test_gradients_are_finite_at_black_and_white():
    for x in (jnp.zeros((1, 3)), jnp.ones((1, 3))):
        for function in (image.rgb_to_lab, image.lab_to_rgb):
            assert np.isfinite(jax.grad(lambda y, f=function: jnp.sum(f(y)))(x)).all()


def test_every_color_lies_in_a_class():
    centers = image.color_classes(10.0)
    assert 250 < len(centers) < 320  # the paper: 313
    assert len(np.unique(centers, axis=0)) == len(centers)
    rgb = jax.random.uniform(jax.random.key(0), (500, 3))
    ab = np.asarray(image.rgb_to_lab(rgb))[:, 1:]
    distance = np.abs(ab[:, None] - centers[None]).max(-1).min(1)
    assert np.mean(distance < 5.01) > 0.99
    assert [0.0, 0.0] in centers.tolist()


def test_soft_classes():
    centers = image.color_classes(10.0)
    ab = jnp.asarray([[0.0, 0.0], [3.0, -4.0], [41.0, 33.0]])
    soft = np.asarray(image.soft_color_classes(ab, centers))
    assert (soft > 0).sum(axis=1).tolist() == [5, 5, 5]
    np.testing.assert_allclose(soft.sum(1), 1, rtol=1e-5)
    for row, color in zip(soft, np.asarray(ab), strict=True):
        squared = ((centers - color) ** 2).sum(1)
        nearest = np.argsort(squared)[:5]
        weight = np.exp(-squared[nearest] / 50)
        np.testing.assert_allclose(row[nearest], weight / weight.sum(), rtol=1e-4)


def test_wrong_arguments():
    centers = image.color_classes(60.0)
    with pytest.raises(ValueError, match="step above 0"):
        image.color_classes(0.0)
    with pytest.raises(ValueError, match="neighbours"):
        image.soft_color_classes(jnp.zeros((1, 2)), centers, neighbours=len(centers) + 1)
