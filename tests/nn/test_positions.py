import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import nn
from jssl.nn.positions import grid_positions
from tests.nn.golden import published

TABLES = published("tables")
WAYS = {
    "antialias": nn.Grid((4, 5)),
    "bicubic": nn.Grid((4, 5), antialias=False),
    "offset": nn.Grid((4, 5), antialias=False, offset=0.1),
}


def positions(height, width):
    return nn.patches(2, relative=True)(jnp.zeros((2 * height, 2 * width, 1))).positions


@pytest.mark.parametrize("name", [name for name in TABLES if "_" in name])
def test_equal_to_pytorch(name):
    way, size = name.split("_")
    height, width = map(int, size.split("x"))
    found = grid_positions(jnp.asarray(TABLES["table"]), positions(height, width), WAYS[way])
    np.testing.assert_allclose(found.reshape(height, width, 3), TABLES[name], atol=1e-5)


def test_the_whole_grid_is_the_table():
    table = jnp.asarray(TABLES["table"])
    for way in ("antialias", "bicubic"):
        np.testing.assert_allclose(
            grid_positions(table, positions(4, 5), WAYS[way]), table.reshape(20, 3), atol=1e-5
        )


def test_any_part_of_the_tokens_finds_its_own():
    table, some = jnp.asarray(TABLES["table"]), jnp.asarray([[3, 1], [5, 0]])
    whole = grid_positions(table, positions(2, 3), WAYS["antialias"])
    np.testing.assert_allclose(
        grid_positions(table, positions(2, 3)[some], WAYS["antialias"]), whole[some], atol=1e-6
    )


@pytest.mark.parametrize("k", [1, 3])
def test_other_numbers_of_axes(k):
    """Of a grid that is linear along each axis, the inner places are met exactly."""
    grid = nn.Grid((8,) * k)
    table = sum(jnp.meshgrid(*[jnp.arange(8.0)] * k, indexing="ij"))[..., None]
    centre = jax.random.uniform(jax.random.key(0), (5, k), minval=0.3, maxval=0.7)
    found = grid_positions(table, jnp.concatenate([centre, jnp.full((5, k), 1 / 16)], axis=1), grid)
    np.testing.assert_allclose(found[:, 0], (8 * centre - 0.5).sum(1), atol=1e-4)


def test_wrong_positions():
    with pytest.raises(ValueError, match="relative=True"):
        grid_positions(jnp.zeros((4, 5, 3)), jnp.zeros((6, 2)), nn.Grid((4, 5)))
