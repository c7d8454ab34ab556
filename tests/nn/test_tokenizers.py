import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import nn


def test_patches_by_loops():
    image = np.random.default_rng(0).uniform(size=(4, 6, 3)).astype(np.float32)
    tokens = nn.patches(2)(jnp.asarray(image))
    assert tokens.values.shape == (6, 12)
    index = 0
    for row in range(2):
        for column in range(3):
            patch = image[2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            np.testing.assert_array_equal(tokens.values[index], patch.reshape(-1))
            np.testing.assert_array_equal(tokens.positions[index], [row, column])
            index += 1


def test_unpatchify_is_the_inverse():
    image = jax.random.uniform(jax.random.key(0), (6, 9, 2))
    np.testing.assert_array_equal(nn.unpatchify(nn.patches(3)(image).values, (6, 9, 2)), image)
    with pytest.raises(ValueError, match="square patches"):
        nn.unpatchify(nn.patches(3)(image).values, (6, 8, 2))


def test_bytes_become_floats():
    image = jnp.full((2, 2, 1), 255, jnp.uint8)
    np.testing.assert_array_equal(nn.patches(2)(image).values, jnp.ones((1, 4)))


def test_wrong_sizes():
    with pytest.raises(ValueError, match="1 pixel"):
        nn.patches(0)
    with pytest.raises(ValueError, match="divisible by 4"):
        nn.patches(4)(jnp.zeros((6, 8, 1)))


def test_relative_positions():
    tokens = nn.patches(2, relative=True)(jnp.zeros((4, 8, 1)))
    assert tokens.positions.shape == (8, 4)
    np.testing.assert_allclose(tokens.positions[0], [0.25, 0.125, 0.5, 0.25])
    np.testing.assert_allclose(tokens.positions[7], [0.75, 0.875, 0.5, 0.25])
