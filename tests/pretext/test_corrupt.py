import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.pretext import image


def test_masking_noise_hides_whole_pixels():
    x = jnp.full((64, 64, 3), 0.7)
    y = image.masking_noise(probability=0.3)(jax.random.key(0), x)
    hidden = np.asarray(y == 0)
    assert (hidden.all(-1) == hidden.any(-1)).all()
    np.testing.assert_allclose(hidden.mean(), 0.3, atol=0.03)
    np.testing.assert_array_equal(y[~hidden.any(-1)], np.float32(0.7))


def test_blocks_are_rectangles_of_the_share_asked_for():
    x = jnp.zeros((40, 40, 1))
    one = image.erase_blocks(num_blocks=1, scale=(0.04, 0.09), value=1.0)
    erased = jax.jit(jax.vmap(one, (0, None)))(jax.random.split(jax.random.key(0), 100), x)[..., 0]
    for picture in np.asarray(erased):
        rows, columns = np.where(picture == 1)
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert height * width == len(rows), "a rectangle"
        assert 0.03 < len(rows) / 1600 < 0.11
        assert 0.4 < width / height < 2.5
    assert len(np.unique(np.asarray(erased), axis=0)) > 90


def test_several_blocks():
    x = jnp.zeros((40, 40, 1))
    many = image.erase_blocks(num_blocks=6, value=1.0)
    share = jax.jit(jax.vmap(many, (0, None)))(jax.random.split(jax.random.key(0), 50), x).mean()
    assert 0.1 < share < 0.25


def test_wrong_arguments():
    for make in (
        lambda: image.masking_noise(probability=1.5),
        lambda: image.erase_blocks(num_blocks=0),
        lambda: image.erase_blocks(scale=(0.0, 0.1)),
    ):
        with pytest.raises(ValueError, match="expected"):
            make()
