"""Views have their shapes, are independent, and stay beside each other in a batch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.pretext import (
    byol_views,
    compose,
    dino_views,
    image,
    multi_crop,
    random_apply,
    simclr_augment,
    two_views,
)

X = jax.random.uniform(jax.random.key(0), (12, 16, 3))


def shift(key, x):
    return x + jax.random.uniform(key)


def test_two_views_of_one_augmentation():
    views = two_views(shift)(jax.random.key(1), X)
    assert views.shape == (2, 12, 16, 3)
    offsets = np.asarray(jnp.mean(views - X[None], axis=(1, 2, 3)))
    assert abs(offsets[0] - offsets[1]) > 1e-3


def test_two_views_of_two_augmentations():
    views = two_views(shift, lambda key, x: -x)(jax.random.key(1), X)
    np.testing.assert_array_equal(views[1], -X)
    assert float(jnp.min(views[0] - X)) >= 0


def test_views_of_a_batch_are_interleaved():
    batch = jnp.stack([X, X + 10, X + 20])
    views = jax.vmap(two_views(shift))(jax.random.split(jax.random.key(1), 3), batch)
    assert views.shape == (3, 2, 12, 16, 3)
    tens = jnp.floor(views.reshape(6, -1).mean(axis=1) / 10)
    np.testing.assert_array_equal(tens, [0, 0, 1, 1, 2, 2])


def test_multi_crop():
    small = image.random_resized_crop(6, scale=(0.05, 0.3))
    augment = multi_crop(image.random_resized_crop((8, 10)), small, num_global=3, num_local=4)
    large, local = jax.jit(augment)(jax.random.key(1), X)
    assert large.shape == (3, 8, 10, 3)
    assert local.shape == (4, 6, 6, 3)
    flat = np.asarray(local.reshape(4, -1))
    assert min(np.abs(flat[i] - flat[j]).max() for i in range(4) for j in range(i)) > 1e-3


def test_dino_views():
    """Of a board of black and white the first global view is always blurred, the second seldom."""
    board = jnp.broadcast_to((jnp.indices((32, 32)).sum(axis=0) % 2)[..., None], (32, 32, 3)).astype(float)
    augment = dino_views(32, 16, num_local=3, scale=(1.0, 1.0), local_scale=(0.2, 0.3))
    large, local = jax.jit(jax.vmap(augment, (0, None)))(jax.random.split(jax.random.key(2), 64), board)
    assert large.shape == (64, 2, 32, 32, 3)
    assert local.shape == (64, 3, 16, 16, 3)
    contrast = np.asarray(jnp.std(large, axis=(2, 3, 4))).mean(axis=0)
    assert contrast[1] > 1.5 * contrast[0]
    with pytest.raises(ValueError, match="at least one local view"):
        dino_views(32, 16, num_local=0)


@pytest.mark.parametrize("counts", [{"num_global": 0}, {"num_local": 0}])
def test_multi_crop_needs_views(counts):
    with pytest.raises(ValueError, match="at least one view"):
        multi_crop(shift, shift, **counts)


@pytest.mark.parametrize("augment", [two_views(simclr_augment(8, solarize_probability=0.2)), byol_views(8)])
def test_recipes(augment):
    views = jax.jit(augment)(jax.random.key(1), X)
    assert views.shape == (2, 8, 8, 3)
    assert float(views.min()) >= 0
    assert float(views.max()) <= 1 + 1e-5


def test_simclr_augment_without_blur_keeps_edges():
    """A checkerboard of black and white stays black and white unless something blurs it."""
    board = jnp.broadcast_to((jnp.indices((32, 32)).sum(axis=0) % 2)[..., None], (32, 32, 3)).astype(float)
    quiet = {"scale": (1.0, 1.0), "strength": 0.0}
    keys = jax.random.split(jax.random.key(2), 64)
    sharp = jax.vmap(simclr_augment(32, blur=False, **quiet), in_axes=(0, None))(keys, board)
    same = jax.random.clone(keys)
    soft = jax.vmap(simclr_augment(32, blur_probability=1.0, **quiet), in_axes=(0, None))(same, board)
    assert float(jnp.std(sharp)) > 1.5 * float(jnp.std(soft))


def board_views(**options):
    """BYOL's views of a black-and-white checkerboard, 64 times."""
    board = jnp.broadcast_to((jnp.indices((32, 32)).sum(axis=0) % 2)[..., None], (32, 32, 3)).astype(float)
    augment = byol_views(32, scale=(1.0, 1.0), strength=0.0, **options)
    return jax.vmap(augment, in_axes=(0, None))(jax.random.split(jax.random.key(3), 64), board)


def test_byol_blurs_the_first_view_always_and_the_second_seldom():
    """The lowest of the first view's deviations, 0.1 pixels, leaves it as sharp as it was."""
    contrast = jnp.std(board_views(solarize_probability=0.0), axis=(2, 3, 4))
    sharp = jnp.mean(contrast > 0.499, axis=0)
    assert sharp[0] < 0.2
    assert 0.75 < sharp[1] < 1


def test_byol_without_blur_solarizes_the_second_view_only():
    """Solarized, white is black and nothing is left of the board."""
    views = board_views(blur=False, solarize_probability=1.0)
    np.testing.assert_allclose(jnp.std(views[:, 0], axis=(1, 2, 3)), 0.5, atol=1e-3)
    np.testing.assert_allclose(views[:, 1], 0.0, atol=1e-3)


def test_compose_gives_each_transform_a_key():
    seen = []

    def record(key, x):
        seen.append(jax.random.key_data(key).tolist())
        return shift(key, x)

    compose(record, record, random_apply(record, probability=1.0))(jax.random.key(1), X)
    assert len({str(key) for key in seen}) == 3
