import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.pretext import jigsaw_permutations, jigsaw_tiles


def hamming(orders):
    distance = (orders[:, None] != orders[None]).sum(-1)
    return distance[np.triu_indices(len(orders), 1)]


@pytest.mark.parametrize(("num", "tiles"), [(2, 2), (24, 4), (10, 4), (8, 5)])
def test_each_is_a_permutation_of_its_own(num, tiles):
    orders = jigsaw_permutations(num, tiles)
    assert orders.shape == (num, tiles)
    np.testing.assert_array_equal(np.sort(orders, axis=1), np.broadcast_to(np.arange(tiles), (num, tiles)))
    assert len(np.unique(orders, axis=0)) == num


def test_the_first_ones_differ_everywhere():
    """As many orders as tiles can differ in all places: a Latin square."""
    assert hamming(jigsaw_permutations(4, 4)).min() == 4
    assert hamming(jigsaw_permutations(5, 5)).min() >= 4


def test_each_next_one_is_the_farthest():
    """Against a search that is written down anew."""
    from itertools import permutations

    orders = jigsaw_permutations(9, 5)
    for k in range(1, 9):
        best = max(min((np.array(p) != q).sum() for q in orders[:k]) for p in permutations(range(5)))
        assert min((orders[k] != q).sum() for q in orders[:k]) == best


def test_farther_apart_than_by_chance():
    generator = np.random.default_rng(0)
    random = np.stack([generator.permutation(6) for _ in range(30)])
    chosen = hamming(jigsaw_permutations(30, 6))
    assert chosen.min() > hamming(random).min()
    assert chosen.mean() > hamming(random).mean()


def test_seeds():
    a, b, c = (jigsaw_permutations(5, 4, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()


def test_impossible_permutations_are_refused():
    for num, tiles in ((1, 4), (25, 4), (2, 1)):
        with pytest.raises(ValueError, match="expected"):
            jigsaw_permutations(num, tiles)


def numbered(height=20, width=20):
    """An image whose pixels tell where they were."""
    return jnp.arange(height * width, dtype=jnp.float32).reshape(height, width, 1) / (height * width)


def test_tiles_lie_within_their_cells_at_random_places():
    x = numbered(20, 22)
    cut = jigsaw_tiles(3, 4, equalize=False)
    tiles = jax.jit(jax.vmap(cut, (0, None)))(jax.random.split(jax.random.key(0), 200), x)
    assert tiles.shape == (200, 9, 4, 4, 1)
    pixel = np.round(np.asarray(tiles[..., 0]) * 440).astype(int)
    rows, columns = np.divmod(pixel, 22)
    down = np.broadcast_to(np.arange(4)[:, None], rows.shape)
    np.testing.assert_array_equal(rows - rows[:, :, :1, :1], down)
    for tile in range(9):
        first_row, first_column = rows[:, tile, 0, 0], columns[:, tile, 0, 0]
        assert set(first_row) == {6 * (tile // 3) + shift for shift in range(3)}
        assert set(first_column) == {7 * (tile % 3) + shift for shift in range(4)}


def test_equalized_tiles_have_the_mean_and_deviation_of_the_image():
    x = 0.5 + 0.1 * jax.random.normal(jax.random.key(0), (24, 24, 3))
    x = x.at[:12].multiply(0.7)
    tiles = jigsaw_tiles(2, 9)(jax.random.key(1), x)
    for channel in range(3):
        np.testing.assert_allclose(tiles[..., channel].mean((1, 2)), x[..., channel].mean(), atol=0.01)
        np.testing.assert_allclose(tiles[..., channel].std((1, 2)), x[..., channel].std(), atol=0.01)


def test_wrong_arguments():
    for grid, size in ((1, 4), (2, 0)):
        with pytest.raises(ValueError, match="expected a grid"):
            jigsaw_tiles(grid, size)
    with pytest.raises(ValueError, match="at most 10 pixels"):
        jigsaw_tiles(2, 11)(jax.random.key(0), numbered())
