"""What every image transform keeps, and the distributions that it draws from."""

import math
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import TypeCheckError

from jssl.pretext import compose, deterministic, image, simclr_augment
from jssl.pretext.image.color import draw_jitter
from jssl.pretext.image.geometry import draw_box
from jssl.pretext.image.resample import check_interpolation

JITTER = {"brightness": 0.8, "contrast": 0.8, "saturation": 0.8, "hue": 0.2}
TRANSFORMS = {
    "random_resized_crop": image.random_resized_crop((10, 14)),
    "random_crop": image.random_crop((10, 14), padding=2),
    "horizontal_flip": image.horizontal_flip(),
    "vertical_flip": image.vertical_flip(),
    "color_jitter": image.color_jitter(**JITTER),
    "random_grayscale": image.random_grayscale(),
    "random_solarize": image.random_solarize(),
    "gaussian_blur": image.gaussian_blur(),
    "gaussian_noise": image.gaussian_noise(std=(0.0, 0.2), probability=0.5),
    "random_rotation": image.random_rotation(0.5),
    "random_erasing": image.random_erasing(value=None),
    "normalize": image.normalize(mean=0.5, std=0.25),
    "random_apply": image.random_apply(image.color_jitter(brightness=0.5)),
    "compose": compose(image.horizontal_flip(), deterministic(lambda x: image.center_crop(x, (10, 14)))),
    "simclr_augment": simclr_augment((10, 14)),
}
RESIZED = {"random_resized_crop", "random_crop", "compose", "simclr_augment"}


def images(num, channels=3, shape=(12, 16)):
    return jax.random.uniform(jax.random.key(0), (num, *shape, channels))


def keys(num, seed=1):
    return jax.random.split(jax.random.key(seed), num)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", TRANSFORMS)
def test_one_trace_static_shape_same_dtype_same_as_alone(name, channels):
    traces = []

    def traced(key, x):
        traces.append(x.shape)
        return TRANSFORMS[name](key, x)

    x = images(4, channels)
    batched = jax.jit(jax.vmap(traced))
    results = batched(keys(4), x)
    again = batched(keys(4), x + 0)
    assert len(traces) == 1
    assert results.shape == (4, *((10, 14) if name in RESIZED else (12, 16)), channels)
    assert results.dtype == jnp.float32
    assert bool(jnp.all(jnp.isfinite(results)))
    np.testing.assert_array_equal(results, again)
    alone = jax.jit(TRANSFORMS[name])(keys(4)[2], x[2])
    np.testing.assert_allclose(alone, results[2], atol=1e-5)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_half_precision_is_kept(name):
    result = jax.eval_shape(TRANSFORMS[name], jax.random.key(0), jnp.zeros((12, 16, 3), jnp.bfloat16))
    assert result.dtype == jnp.bfloat16


@pytest.mark.parametrize("name", sorted(set(TRANSFORMS) - {"normalize", "random_erasing"}))
def test_range_is_kept(name):
    results = jax.jit(jax.vmap(TRANSFORMS[name]))(keys(16), images(16))
    assert float(results.min()) >= 0
    assert float(results.max()) <= 1 + 1e-5


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize(
    "x", [jnp.zeros((12, 16, 3), jnp.uint8), jnp.zeros((2, 12, 16, 3)), jnp.zeros((12, 16, 2))]
)
def test_other_images_are_refused(name, x):
    # The shape checks of the tests' set-up come before some of the library's own.
    with pytest.raises((ValueError, TypeCheckError)):
        TRANSFORMS[name](jax.random.key(0), x)


@pytest.mark.parametrize(
    "make",
    [
        lambda: image.random_resized_crop(0),
        lambda: image.random_resized_crop(8, scale=(0.0, 1.0)),
        lambda: image.random_resized_crop(8, scale=(0.5, 1.5)),
        lambda: image.random_resized_crop(8, ratio=(2.0, 1.0)),
        lambda: check_interpolation("nearest", "resized_crop"),
        lambda: image.random_crop((8, -1)),
        lambda: image.random_crop(8, padding=-1),
        lambda: image.random_crop(20)(jax.random.key(0), jnp.zeros((12, 16, 3))),
        lambda: image.horizontal_flip(probability=1.5),
        lambda: image.color_jitter(brightness=-0.1),
        lambda: image.color_jitter(contrast=(0.5, 0.2)),
        lambda: image.color_jitter(hue=0.6),
        lambda: image.gaussian_blur(sigma=(0.0, 1.0)),
        lambda: image.gaussian_blur(kernel_size=4),
        lambda: image.blur(jnp.zeros((12, 16, 3)), 1.0, 25),
        lambda: image.gaussian_noise(std=-1.0),
        lambda: image.gaussian_noise(probability=-1.0),
        lambda: image.random_rotation(4.0),
        lambda: image.random_erasing(scale=(0.0, 0.5)),
        lambda: image.normalize(mean=0.0, std=0.0),
        lambda: image.normalize(mean=(0.0, 0.0), std=1.0)(jax.random.key(0), jnp.zeros((12, 16, 3))),
        lambda: image.center_crop(jnp.zeros((12, 16, 3)), 13),
        lambda: image.random_apply(image.random_resized_crop(8))(jax.random.key(0), jnp.zeros((12, 16, 3))),
        lambda: image.to_float(jnp.zeros(3, jnp.int32)),
        lambda: compose(),
    ],
)
def test_bad_arguments_are_refused(make):
    with pytest.raises(ValueError, match="expected"):
        make()


def test_to_float():
    x = jnp.array([[0, 51, 255]], jnp.uint8)
    np.testing.assert_allclose(image.to_float(x), [[0.0, 0.2, 1.0]])
    assert image.to_float(jnp.ones(2, jnp.bfloat16)).dtype == jnp.bfloat16


def test_crop_boxes_follow_their_distribution():
    """Of a large image every draw fits for these bounds, so that area and log ratio are uniform."""
    draw = jax.jit(jax.vmap(lambda key: draw_box(key, (1000, 1000), (0.2, 0.6), (3 / 4, 4 / 3))))
    (top, left, height, width), found = draw(keys(20_000))
    assert bool(jnp.all(found))
    assert_uniform(height * width / 1e6, 0.2, 0.6)
    assert_uniform(jnp.log(width / height), -math.log(4 / 3), math.log(4 / 3))
    assert_uniform(top / (1000 - height), 0, 1)
    assert_uniform(left / (1000 - width), 0, 1)
    correlations = np.corrcoef([height * width, width / height, top / (1000 - height), left / (1000 - width)])
    assert np.abs(correlations - np.eye(4)).max() < 0.03


def test_crops_too_large_are_drawn_again():
    """At the usual bounds large areas fit less often, never beyond the image."""
    draw = jax.jit(jax.vmap(lambda key: draw_box(key, (32, 48), (0.08, 1.0), (3 / 4, 4 / 3))[0]))
    top, left, height, width = draw(keys(20_000))
    assert int(top.min()) == 0
    assert int(left.min()) == 0
    assert int((top + height).max()) == 32
    assert int((left + width).max()) == 48
    assert int(height.min()) > 0
    assert_near(jnp.mean(height * width / (32 * 48)), rejection_sampled_area(), 0.01)


def rejection_sampled_area(num=20_000):
    """Mean share of the area by a plain loop over tries."""
    rng, areas = np.random.default_rng(0), []
    for _ in range(num):
        for _ in range(10):
            area = rng.uniform(0.08, 1) * 32 * 48
            ratio = math.exp(rng.uniform(math.log(3 / 4), math.log(4 / 3)))
            width, height = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if 0 < width <= 48 and 0 < height <= 32:
                areas.append(width * height / (32 * 48))
                break
        else:
            areas.append(32 * round(32 * 4 / 3) / (32 * 48))
    return np.mean(areas)


@pytest.mark.parametrize(
    ("size", "ratio", "box"),
    [
        ((10, 100), (3 / 4, 4 / 3), (0, 43, 10, 13)),
        ((100, 10), (3 / 4, 4 / 3), (43, 0, 13, 10)),
        ((20, 20), (1.5, 2.0), (3, 0, 13, 20)),
    ],
)
def test_without_a_fit_the_crop_is_central(size, ratio, box):
    found_box, found = draw_box(jax.random.key(0), size, (0.999, 1.0), ratio)
    assert not bool(found)
    assert tuple(int(value) for value in found_box) == box


def test_crop_shifts_the_padded_image():
    x = images(1, shape=(8, 8))[0]
    crop = jax.jit(jax.vmap(image.random_crop(8, padding=4), in_axes=(0, None)))
    results = crop(keys(400), x)
    padded = np.pad(x, ((4, 4), (4, 4), (0, 0)))
    windows = {padded[i : i + 8, j : j + 8].tobytes() for i in range(9) for j in range(9)}
    seen = {np.asarray(r).tobytes() for r in results}
    assert seen <= windows
    assert len(seen) > 70


@pytest.mark.parametrize(
    ("make", "changed"),
    [
        (image.horizontal_flip, image.flip_horizontal),
        (image.vertical_flip, image.flip_vertical),
        (image.random_grayscale, image.grayscale),
        (image.random_solarize, lambda x: image.solarize(x, 0.5)),
    ],
)
def test_rates(make, changed):
    x = images(1)[0]
    results = jax.jit(jax.vmap(make(probability=0.3), in_axes=(0, None)))(keys(4000), x)
    was_changed = np.asarray(jnp.all(jnp.isclose(results, changed(x)[None]), axis=(1, 2, 3)))
    np.testing.assert_array_equal(results[~was_changed], np.broadcast_to(x, results[~was_changed].shape))
    assert_near(was_changed.mean(), 0.3, 0.03)


def test_jitter_draws_all_orders_and_uniform_factors():
    bounds = [(0.2, 1.8), (0.2, 1.8), (0.0, 1.0), (-0.2, 0.2)]
    orders, factors = jax.jit(jax.vmap(lambda key: draw_jitter(key, bounds)))(keys(24_000))
    counts = Counter(map(tuple, np.asarray(orders).tolist()))
    assert len(counts) == 24
    assert max(abs(count - 1000) for count in counts.values()) < 150
    for (low, high), factor in zip(bounds, factors.T, strict=True):
        assert_uniform(factor, low, high)


def test_jitter_equals_its_changes_one_after_the_other():
    x, fixed = images(1)[0], {"brightness": 0.7, "contrast": 1.4, "saturation": 0.3, "hue": 0.11}
    names = list(fixed)
    adjust = {name: getattr(image, f"adjust_{name}") for name in names}
    jitter = jax.jit(image.color_jitter(**{name: (value, value) for name, value in fixed.items()}))
    for key in keys(8):
        order, _ = draw_jitter(key, [(value, value) for value in fixed.values()])
        expected = x
        for index in order.tolist():
            expected = adjust[names[index]](expected, fixed[names[index]])
        np.testing.assert_allclose(jitter(jax.random.clone(key), x), expected, atol=1e-5)


def test_jitter_without_strength_is_the_identity():
    x = images(1)[0]
    np.testing.assert_array_equal(image.color_jitter()(jax.random.key(0), x), x)


def test_erasing_covers_its_share():
    x = jnp.ones((100, 100, 1))
    erase = image.random_erasing(probability=1.0, scale=(0.1, 0.3), ratio=(0.5, 2.0))
    results = jax.jit(jax.vmap(erase, in_axes=(0, None)))(keys(500), x)
    shares = jnp.mean(results == 0, axis=(1, 2, 3))
    assert float(shares.min()) > 0.095
    assert float(shares.max()) < 0.305
    assert_near(shares.mean(), 0.2, 0.01)


def test_transforms_are_differentiable():
    def total(x):
        return jnp.sum(simclr_augment(8)(jax.random.key(3), x) ** 2)

    gradient = jax.jit(jax.grad(total))(images(1)[0])
    assert bool(jnp.all(jnp.isfinite(gradient)))
    assert float(jnp.abs(gradient).max()) > 0


def test_a_sharded_batch_gives_the_same():
    mesh = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    sharding = jax.NamedSharding(mesh, jax.P("data"))
    augment = jax.vmap(simclr_augment(8))
    x, batch_keys = images(16), keys(16)
    one = jax.jit(augment)(batch_keys, x)
    spread = jax.jit(augment, out_shardings=sharding).lower(
        jax.device_put(jax.random.clone(batch_keys), sharding), jax.device_put(x, sharding)
    )
    compiled = spread.compile()
    assert not any(name in compiled.as_text() for name in ("all-gather", "all-to-all", "collective-permute"))
    eight = compiled(jax.device_put(jax.random.clone(batch_keys), sharding), jax.device_put(x, sharding))
    np.testing.assert_allclose(eight, one, atol=1e-6)


def assert_near(value, expected, tolerance):
    assert abs(float(value) - float(expected)) < tolerance, (float(value), float(expected))


def assert_uniform(values, low, high):
    """Kolmogorov-Smirnov distance to the uniform distribution below what one in 10^5 samples exceeds."""
    sorted_values = np.sort((np.asarray(values, np.float64) - low) / (high - low))
    steps = np.arange(len(sorted_values)) / len(sorted_values)
    assert np.abs(sorted_values - steps).max() < 2.5 / math.sqrt(len(sorted_values)) + 2e-3
