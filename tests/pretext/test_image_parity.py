"""The fixed changes of an image equal torchvision's (tests/golden/transforms.py)."""

import ast
import math
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.pretext import image
from jssl.pretext.image.resample import resample_by_matrices, resample_by_reading

GOLDEN = dict(np.load(Path(__file__).parents[1] / "golden" / "transforms.npz"))
INPUTS = {channels: jnp.asarray(GOLDEN[f"{channels}/image"]) for channels in ("1", "3")}


def cases(name):
    return [key for key in GOLDEN if key.split("/")[1] == name]


def parse(key):
    """The channels and the parameters that the key names."""
    channels, _, *parameters = key.split("/")
    return channels, [ast.literal_eval(p) for p in parameters]


def crop(x, box, size, interpolation):
    return image.resized_crop(x, *box, size, interpolation=interpolation)


def crop_by_reading(x, box, size, interpolation):
    return resample_by_reading(x, box[:2], box[2:], size, interpolation)


def crop_by_matrices(x, box, size, interpolation):
    return resample_by_matrices(x, box[:2], box[2:], size, interpolation)


@pytest.mark.parametrize("channels", ["1", "3"])
@pytest.mark.parametrize("resized", [crop, crop_by_reading, crop_by_matrices])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_resized_crop(channels, resized, interpolation):
    keys = [
        key for key in cases("resized_crop") if key.startswith(channels) and parse(key)[1][2] == interpolation
    ]
    assert len(keys) == 16
    for size in {parse(key)[1][1] for key in keys}:
        same_size = [key for key in keys if parse(key)[1][1] == size]
        boxes = jnp.array([parse(key)[1][0] for key in same_size])
        cut = partial(resized, size=size, interpolation=interpolation)
        results = jax.jit(jax.vmap(cut, in_axes=(None, 0)))(INPUTS[channels], boxes)
        for key, result in zip(same_size, results, strict=True):
            np.testing.assert_allclose(result, GOLDEN[key], atol=3e-6, err_msg=key)


@pytest.mark.parametrize(
    "name", ["adjust_brightness", "adjust_contrast", "adjust_saturation", "adjust_hue", "solarize"]
)
def test_colours(name):
    assert cases(name)
    for key in cases(name):
        channels, parameters = parse(key)
        result = getattr(image, name)(INPUTS[channels], *parameters)
        np.testing.assert_allclose(result, GOLDEN[key], atol=2e-6, err_msg=key)


@pytest.mark.parametrize("key", cases("blur"))
def test_blur(key):
    channels, (sigma, kernel_size) = parse(key)
    np.testing.assert_allclose(image.blur(INPUTS[channels], sigma, kernel_size), GOLDEN[key], atol=1e-6)


@pytest.mark.parametrize("key", cases("rotate"))
def test_rotate(key):
    channels, (degrees,) = parse(key)
    np.testing.assert_allclose(image.rotate(INPUTS[channels], math.radians(degrees)), GOLDEN[key], atol=2e-4)


@pytest.mark.parametrize("channels", ["1", "3"])
def test_grayscale_crop_and_erase(channels):
    x = INPUTS[channels]
    np.testing.assert_allclose(image.grayscale(x), GOLDEN[f"{channels}/grayscale"], atol=1e-6)
    np.testing.assert_array_equal(image.center_crop(x, (11, 14)), GOLDEN[f"{channels}/center_crop/(11, 14)"])
    np.testing.assert_array_equal(image.erase(x, 4, 5, 9, 13, 0.25), GOLDEN[f"{channels}/erase"])


def test_resize_is_the_crop_of_the_whole_image():
    x = INPUTS["3"]
    whole = image.resized_crop(x, 0, 0, 16, 20, (12, 12))
    np.testing.assert_array_equal(image.resize(x, 12), whole)
    np.testing.assert_allclose(image.resize(x, (16, 20)), x, atol=1e-6)


def test_one_channel_has_no_hue_or_saturation():
    x = INPUTS["1"]
    for same in (image.adjust_hue(x, 0.3), image.adjust_saturation(x, 0.3), image.grayscale(x)):
        np.testing.assert_array_equal(same, x)
