import jax
import numpy as np
import pytest

from jssl.pretext import unit_mask
from jssl.pretext.masks import as_bool


@pytest.mark.parametrize(("grid", "unit"), [((8, 12), 2), ((24,), 3), ((4, 4, 4), 2)])
def test_whole_units_are_hidden(grid, unit):
    masks = jax.jit(jax.vmap(lambda key: unit_mask(key, grid, 0.6, unit=unit)))(
        jax.random.split(jax.random.key(0), 50)
    )
    hidden = np.asarray(jax.vmap(as_bool)(masks))
    num = np.prod(grid) // unit ** len(grid)
    count = num - int(num * 0.4 + 1e-6)
    np.testing.assert_array_equal(hidden.sum(1), count * unit ** len(grid))
    blocks = hidden.reshape(50, *(part for size in grid for part in (size // unit, unit)))
    inner = tuple(range(2, 2 * len(grid) + 1, 2))
    np.testing.assert_array_equal(blocks.all(inner), blocks.any(inner))
    np.testing.assert_allclose(hidden.mean(), count / num, atol=1e-6)
    assert len(np.unique(hidden, axis=0)) > 10


def test_wrong_arguments():
    for grid, unit, ratio in (((7, 8), 2, 0.5), ((), 2, 0.5), ((8, 8), 0, 0.5), ((2, 2), 2, 0.5)):
        with pytest.raises(ValueError, match="expected"):
            unit_mask(jax.random.key(0), grid, ratio, unit=unit)
