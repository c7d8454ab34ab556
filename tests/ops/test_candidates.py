import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType

from jssl import ops, plan, train
from jssl.ops import candidates
from tests.ops.across_devices import AXIS, SPLIT

ROWS, DIM = 24, 5
LABELS = jnp.arange(ROWS) // 2


def rows(seed=0, num=ROWS, scale=2.0):
    return scale * jax.random.normal(jax.random.key(seed), (num, DIM))


def naive(x, y):
    return np.log(np.exp(np.asarray(x, np.float64) @ np.asarray(y, np.float64).T).sum(axis=1))


def plain(x, y):
    return jax.nn.logsumexp(x @ y.T, axis=1)


def plain_of_others(x, labels):
    same = labels[:, None] == labels[None, :]
    return jax.nn.logsumexp(jnp.where(same, -jnp.inf, x @ x.T), axis=1)


def weighted(total):
    """A scalar in which every row counts differently, so that gradients can't be mixed up."""
    return jnp.sum(jnp.linspace(1.0, 2.0, len(total)) * total)


@pytest.fixture(params=[128, 9, 8, 1], ids=lambda size: f"tiles of {size}")
def tiles(request, monkeypatch):
    """All columns in one tile, in tiles and a rest, in whole tiles, one by one."""
    monkeypatch.setattr(candidates, "SMALLEST", request.param)
    monkeypatch.setattr(candidates, "TILE", 1)


def test_equals_the_plain_sum(tiles):
    x, y = rows(), rows(1)
    np.testing.assert_allclose(ops.log_sum_exp(x, y), naive(x, y), rtol=1e-6)
    expected = jax.grad(lambda x, y: weighted(plain(x, y)), argnums=(0, 1))(x, y)
    found = jax.grad(lambda x, y: weighted(ops.log_sum_exp(x, y)), argnums=(0, 1))(x, y)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_others_equal_the_plain_sum(tiles):
    x = rows()
    np.testing.assert_allclose(ops.log_sum_exp_of_others(x, LABELS), plain_of_others(x, LABELS), rtol=1e-6)
    expected = jax.grad(lambda x: weighted(plain_of_others(x, LABELS)))(x)
    found = jax.grad(lambda x: weighted(ops.log_sum_exp_of_others(x, LABELS)))(x)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_the_nearest_is_the_argmax(tiles):
    x, y = rows(), rows(1)
    assert ops.nearest(x, y).tolist() == jnp.argmax(x @ y.T, axis=1).tolist()
    assert ops.nearest(jnp.ones_like(x), jnp.ones_like(y)).tolist() == [0] * ROWS, "the first of equals"


def test_large_products_neither_overflow_nor_vanish(tiles):
    for scale in (30.0, 1e-3):
        x = rows(scale=scale)
        np.testing.assert_allclose(
            ops.log_sum_exp_of_others(x, LABELS), plain_of_others(x, LABELS), rtol=1e-6
        )
        gradient = jax.grad(lambda x: weighted(ops.log_sum_exp_of_others(x, LABELS)))(x)
        assert jnp.isfinite(gradient).all()


def test_a_row_without_candidates_has_none():
    assert ops.log_sum_exp_of_others(rows(num=3), jnp.array([0, 0, 1])).tolist()[:2] != [-jnp.inf] * 2
    assert ops.log_sum_exp_of_others(rows(num=2), jnp.array([0, 0])).tolist() == [-jnp.inf] * 2


@pytest.mark.parametrize("num_devices", [1, 2, 8])
def test_the_ring_meets_all_candidates_once(num_devices, tiles):
    x, y = rows(), rows(1)
    split = jax.make_mesh(
        (num_devices,), (AXIS,), axis_types=(AxisType.Auto,), devices=jax.devices()[:num_devices]
    )

    def over_devices(function):
        return jax.jit(jax.shard_map(function, mesh=split, in_specs=SPLIT, out_specs=SPLIT))

    found = over_devices(lambda x, y: ops.log_sum_exp(x, y, axis_name=AXIS))(x, y)
    np.testing.assert_allclose(found, naive(x, y), rtol=1e-6)
    found = over_devices(lambda x, y: ops.nearest(x, y, axis_name=AXIS))(x, y)
    assert found.tolist() == jnp.argmax(x @ y.T, axis=1).tolist()
    found = over_devices(lambda x, labels: ops.log_sum_exp_of_others(x, labels, axis_name=AXIS))(x, LABELS)
    np.testing.assert_allclose(found, plain_of_others(x, LABELS), rtol=1e-6)


def test_memory_does_not_hold_the_products():
    def peak(num):
        x = jax.ShapeDtypeStruct((num, 16), jnp.float32)
        labels = jax.ShapeDtypeStruct((num,), jnp.int32)
        step = jax.jit(jax.grad(lambda x, labels: weighted(ops.log_sum_exp_of_others(x, labels))))
        return step.lower(x, labels).compile().memory_analysis().temp_size_in_bytes

    small, large = peak(2**15), peak(2**17)
    assert large < 4.4 * small
    assert large < 2**17 * 2**17 * 4 / 100


@pytest.mark.parametrize(("share", "kind"), [(1024, "all-gather"), (1, "collective-permute")])
def test_under_a_mesh_the_devices_share_the_work(share, kind, monkeypatch):
    """Few candidates are gathered once; many go round in a ring. Nothing else moves."""
    monkeypatch.setattr(candidates, "SHARE", share)
    mesh = train.device_mesh(fsdp=2)
    x = jax.device_put(rows(), train.batch_sharding(mesh))
    others = jax.jit(jax.value_and_grad(lambda x: weighted(ops.log_sum_exp_of_others(x, LABELS))))
    with jax.set_mesh(mesh):
        program = others.lower(x).compile()
    value, gradient = program(x)
    expected, slope = jax.value_and_grad(lambda x: weighted(plain_of_others(x, LABELS)))(rows())
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    np.testing.assert_allclose(gradient, slope, rtol=1e-5, atol=1e-5)
    collectives = plan.find_collectives(plan.Module(program.as_text()), dict(mesh.shape))
    moved = {x.kind for x in collectives if x.purpose == "embeddings"}
    assert moved == {kind}


def test_rows_that_the_devices_can_not_share_are_computed_whole():
    x = rows(num=13)
    with jax.set_mesh(train.device_mesh()):
        np.testing.assert_allclose(jax.jit(ops.log_sum_exp)(x, x), naive(x, x), rtol=1e-6)
