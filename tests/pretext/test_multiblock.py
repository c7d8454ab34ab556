"""I-JEPA's masks: targets are blocks, the context shares no token with them, all at static shapes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.pretext import multiblock_mask


def draw(num, *arguments, **options):
    keys = jax.random.split(jax.random.key(0), num)
    return jax.jit(jax.vmap(lambda key: multiblock_mask(key, *arguments, **options)))(keys)


@pytest.mark.parametrize(
    ("grid", "target", "context"), [((14, 14), 34, 60), ((8, 8), 11, 20), ((1, 50), 9, 14)]
)
def test_counts_and_no_overlap(grid, target, context):
    masks = draw(100, grid)
    assert masks.targets.shape == (100, 4, target)
    assert masks.context.shape == (100, context)
    for indices in masks:
        assert (np.diff(indices, axis=-1) > 0).all(), "each once, ascending"
        assert indices.min() >= 0
        assert indices.max() < grid[0] * grid[1]
    for own_context, own_targets in zip(*(np.asarray(x) for x in masks), strict=True):
        assert not set(own_context.tolist()) & set(own_targets.ravel().tolist())


def test_targets_are_blocks_of_the_aspects_asked_for():
    masks = draw(200, (14, 14))
    ratios = []
    for target in np.asarray(masks.targets).reshape(-1, 34):
        rows, columns = np.divmod(np.asarray(target), 14)
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        filled = np.unique(rows, return_counts=True)[1]
        assert (np.sort(filled)[1:] == width).all(), "all rows are full but one"
        assert (filled[1:-1] == width).all(), "which is the first or the last"
        assert height * width - 34 < width
        ratios.append(height / width)
    assert 0.6 < min(ratios) < 0.85
    assert 1.2 < max(ratios) < 1.8


def test_targets_are_everywhere():
    hits = np.bincount(np.asarray(draw(2000, (8, 8)).targets).ravel(), minlength=64).reshape(8, 8)
    assert hits.min() > 0
    np.testing.assert_allclose(hits / hits.sum(), (hits / hits.sum())[::-1, ::-1], atol=0.005)
    assert hits[3:5, 3:5].mean() > 3 * hits[[0, 0, -1, -1], [0, -1, 0, -1]].mean(), "seldom in a corner"


def test_the_context_stays_in_its_block_while_there_is_room():
    masks = draw(200, (10, 10), num_targets=1, target_scale=0.04, context_scale=(0.36, 0.36), num_context=32)
    for context in np.asarray(masks.context):
        rows, columns = np.divmod(context, 10)
        assert np.ptp(rows) <= 5
        assert np.ptp(columns) <= 5


def test_a_series_has_spans():
    targets = np.asarray(draw(20, (1, 50)).targets)
    np.testing.assert_array_equal(np.diff(targets, axis=-1), 1)


def test_wrong_arguments():
    key = jax.random.key(0)
    for grid, options in (
        ((0, 4), {}),
        ((8, 8), {"num_targets": 0}),
        ((8, 8), {"target_scale": 1.0}),
        ((8, 8), {"context_scale": (0.9, 0.5)}),
        ((8, 8), {"target_aspect": (-1.0, 2.0)}),
        ((8, 8), {"target_scale": 0.3}),
        ((8, 8), {"num_context": 40}),
    ):
        with pytest.raises(ValueError, match="multiblock_mask expected"):
            multiblock_mask(key, grid, **options)


def test_one_trace():
    traces = []

    @jax.jit
    def traced(key):
        traces.append(key)
        return multiblock_mask(key, (8, 8))

    shapes = {jax.tree.map(jnp.shape, traced(key)) for key in jax.random.split(jax.random.key(0), 3)}
    assert len(traces) == len(shapes) == 1
