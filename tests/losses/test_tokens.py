"""Token predictions: loops in float64, PyTorch, tiles of all sizes, one and eight devices, memory."""

import inspect
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import losses, plan, train
from tests.losses.golden import TOLERANCE, cases
from tests.ops.across_devices import assert_same_across_devices

ROWS, DIM, VOCAB = 64, 5, 11
TILES = [None, 64, 10, 8, 1]


def example(rows=ROWS, dim=DIM, vocab=VOCAB):
    """h, table, bias, targets and weights, some of them 0."""
    keys = jax.random.split(jax.random.key(0), 5)
    h, table = jax.random.normal(keys[0], (rows, dim)), jax.random.normal(keys[1], (vocab, dim))
    weights = jnp.maximum(jax.random.uniform(keys[4], (rows,), minval=-0.3), 0)
    targets = jnp.where(weights > 0, jax.random.randint(keys[3], (rows,), 0, vocab), -100)
    return h, table, jax.random.normal(keys[2], (vocab,)), targets, weights


def naive(logits, targets, weights):
    """The loss, the accuracy and the gradient of the logits."""
    logits, weights = np.asarray(logits, np.float64), np.asarray(weights, np.float64)
    loss = right = 0.0
    slope = np.zeros_like(logits)
    for z, y, w, own in zip(logits, targets, weights, slope, strict=True):
        if w > 0:
            p = np.exp(z) / np.exp(z).sum()
            loss -= w * np.log(p[y])
            right += w * (z.argmax() == y)
            own[:] = w * p
            own[y] -= w
    return loss / weights.sum(), right / weights.sum(), slope / weights.sum()


def tied(h, table, bias, targets, weights, **options):
    return losses.tied_cross_entropy(h, table, targets, weights, bias=bias, **options)


def loss_of(*arguments, **options):
    return tied(*arguments, **options).loss


@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("with_bias", [True, False])
def test_tied_equals_explicit_loops(tile, with_bias):
    h, table, bias, targets, weights = example()
    wide_h, wide_table = np.asarray(h, np.float64), np.asarray(table, np.float64)
    logits = wide_h @ wide_table.T + (np.asarray(bias) if with_bias else 0)
    value, accuracy, slope = naive(logits, targets, weights)
    given = (h, table, bias if with_bias else None, targets, weights)
    found = tied(*given, tile=tile)
    np.testing.assert_allclose(found, (value, accuracy), rtol=1e-5)
    gradients = jax.jit(jax.grad(lambda *x: loss_of(*x, tile=tile), argnums=(0, 1, 2)))(*given)
    expected = [slope @ wide_table, slope.T @ wide_h, *([slope.sum(axis=0)] if with_bias else [])]
    for a, e in zip(jax.tree.leaves(gradients), expected, strict=True):
        np.testing.assert_allclose(a, e, rtol=1e-5, atol=1e-6)


def test_logits_at_hand_equal_explicit_loops():
    h, table, _, targets, weights = example()
    value, _, slope = naive(h @ table.T, targets, weights)
    found, gradient = jax.value_and_grad(losses.token_cross_entropy)(h @ table.T, targets, weights)
    np.testing.assert_allclose(found, value, rtol=1e-5)
    np.testing.assert_allclose(gradient, slope, rtol=1e-5, atol=1e-7)
    shaped = losses.token_cross_entropy(
        (h @ table.T).reshape(8, 8, -1), targets.reshape(8, 8), weights.reshape(8, 8)
    )
    np.testing.assert_allclose(shaped, value, rtol=1e-5)


def test_weights_have_a_gradient():
    h, table, bias, targets, weights = example()
    targets = jnp.maximum(targets, 0)
    expected = jax.grad(losses.token_cross_entropy, argnums=2)(h @ table.T + bias[None], targets, weights + 1)
    found = jax.grad(lambda *x: loss_of(*x, tile=8), argnums=4)(h, table, bias, targets, weights + 1)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_equals_pytorch(dtype):
    tolerance = {"rtol": 3 * TOLERANCE[dtype], "atol": TOLERANCE[dtype]}
    with jax.enable_x64(dtype == "float64"):
        for case in cases("token_cross_entropy", "tokens"):
            smoothing = float(case.arguments["label_smoothing"])
            logits, targets = jnp.asarray(case.arrays["logits"], dtype), jnp.asarray(case.arrays["targets"])
            weights = (targets >= 0).astype(dtype)
            value, gradient = jax.value_and_grad(
                lambda x, y, w, s=smoothing: losses.token_cross_entropy(x, y, w, label_smoothing=s)
            )(logits, targets, weights)
            np.testing.assert_allclose(value, case.arrays[f"value_{dtype}"], **tolerance)
            np.testing.assert_allclose(gradient, case.arrays[f"gradient_{dtype}"], **tolerance)
        for case in cases("tied_cross_entropy", "tokens"):
            given = [jnp.asarray(case.arrays[name], dtype) for name in ("h", "table", "bias")]
            targets = jnp.asarray(case.arrays["targets"])
            weights = (targets >= 0).astype(dtype)
            value, gradients = jax.value_and_grad(lambda *x: loss_of(*x, tile=7), argnums=(0, 1, 2))(
                *given, targets, weights
            )
            assert value.dtype == dtype
            np.testing.assert_allclose(value, case.arrays[f"value_{dtype}"], **tolerance)
            for name, gradient in zip(("h", "table", "bias"), gradients, strict=True):
                np.testing.assert_allclose(gradient, case.arrays[f"gradient_{name}_{dtype}"], **tolerance)


def test_closed_forms():
    h, table, _, targets, _ = example()
    targets = jnp.maximum(targets, 0)
    none = losses.tied_cross_entropy(h, jnp.zeros_like(table), targets, tile=8)
    np.testing.assert_allclose(none.loss, np.log(VOCAB), rtol=1e-6)
    np.testing.assert_allclose(none.accuracy, np.mean(targets == 0), rtol=1e-6, err_msg="first of equals")
    none = losses.token_cross_entropy(jnp.zeros((ROWS, VOCAB)), targets)
    np.testing.assert_allclose(none, np.log(VOCAB), rtol=1e-6)
    sure = losses.tied_cross_entropy(60 * jax.nn.one_hot(targets, VOCAB), jnp.eye(VOCAB), targets, tile=8)
    assert sure.loss < 1e-6
    assert sure.accuracy == 1


@pytest.mark.parametrize("tile", [None, 10])
def test_nothing_counted_gives_zero(tile):
    h, table, bias, targets, weights = example()
    value, gradients = jax.value_and_grad(lambda *x: loss_of(*x, tile=tile), argnums=(0, 1, 2))(
        h, table, bias, targets, 0 * weights
    )
    assert value == 0
    assert tied(h, table, bias, targets, 0 * weights, tile=tile).accuracy == 0
    for gradient in gradients:
        np.testing.assert_array_equal(gradient, 0)
    value, gradient = jax.value_and_grad(losses.token_cross_entropy)(h @ table.T, targets, 0 * weights)
    assert value == 0
    np.testing.assert_array_equal(gradient, 0)


@pytest.mark.parametrize("tile", [None, 10])
def test_what_has_no_weight_may_be_nan(tile):
    h, table, bias, targets, weights = example()
    broken = jnp.where(weights[:, None] > 0, h, jnp.nan)
    expected = jax.value_and_grad(loss_of, argnums=(0, 1))(h, table, bias, targets, weights, tile=tile)
    found = jax.value_and_grad(loss_of, argnums=(0, 1))(broken, table, bias, targets, weights, tile=tile)
    for a, e in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, e, rtol=1e-6, atol=1e-7)
    assert jnp.isfinite(losses.token_cross_entropy(broken @ table.T, targets, weights))
    lost = tied(jnp.full_like(h, jnp.nan), table, bias, targets, weights)
    assert jnp.isnan(lost.loss), "a diverged run is seen"
    assert lost.accuracy == 0


@pytest.mark.parametrize("tile", [None, 10])
def test_bfloat16_multiplies_low_and_sums_in_float32(tile):
    h, table, bias, targets, weights = example(dim=32)
    low = h.astype(jnp.bfloat16), table.astype(jnp.bfloat16)
    value, gradients = jax.value_and_grad(lambda *x: loss_of(*x, tile=tile), argnums=(0, 1))(
        *low, bias, targets, weights
    )
    assert value.dtype == jnp.float32
    assert [g.dtype for g in gradients] == [jnp.bfloat16] * 2
    wide = [x.astype(jnp.float32) for x in low]
    expected, slopes = jax.value_and_grad(loss_of, argnums=(0, 1))(*wide, bias, targets, weights)
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    for gradient, slope in zip(gradients, slopes, strict=True):
        np.testing.assert_allclose(gradient.astype(jnp.float32), slope, rtol=0.02, atol=1e-3)
    mixed = jax.grad(loss_of, argnums=1)(low[0], wide[1], bias, targets, weights, tile=tile)
    assert mixed.dtype == jnp.float32
    assert losses.token_cross_entropy(low[0] @ low[1].T, targets, weights).dtype == jnp.float32


@pytest.mark.parametrize("tile", [None, 4])
def test_same_across_devices(tile):
    def loss_of_head(params, h, targets, weights, axis_name):
        table, bias, kernel = params
        return loss_of(h @ kernel, table, bias, targets, weights, tile=tile, axis_name=axis_name)

    h, table, bias, targets, weights = example()
    assert_same_across_devices(loss_of_head, (table, bias, jnp.eye(DIM)), h, targets, weights)


def test_same_across_devices_without_weights_or_bias():
    def loss_of_head(table, h, targets, axis_name):
        tied = losses.tied_cross_entropy(h, table, targets, axis_name=axis_name)
        return tied.loss + tied.accuracy

    h, table, _, targets, _ = example()
    assert_same_across_devices(loss_of_head, table, h, jnp.maximum(targets, 0))


def test_logits_at_hand_are_the_same_across_devices():
    def loss_of_head(table, h, targets, weights, axis_name):
        return losses.token_cross_entropy(h @ table.T, targets, weights, axis_name=axis_name)

    h, table, _, targets, weights = example()
    assert_same_across_devices(loss_of_head, table, h, targets, weights)


def compiled(tile, rows=1024, vocab=512, dim=16, place=None):
    """Of the step that gives value and gradients, for arrays of these sizes."""
    shapes = [(rows, dim), (vocab, dim), (rows,), (rows,)]
    dtypes = [jnp.float32, jnp.float32, jnp.int32, jnp.float32]
    places = [place, None, place, place]
    given = [jax.ShapeDtypeStruct(s, t, sharding=p) for s, t, p in zip(shapes, dtypes, places, strict=True)]
    step = jax.value_and_grad(lambda h, t, y, w: loss_of(h, t, None, y, w, tile=tile), argnums=(0, 1))
    return jax.jit(step).lower(*given).compile()


def test_memory_grows_with_the_tile_not_with_the_rows():
    def peak(rows, tile):
        return compiled(tile, rows=rows, vocab=4096).memory_analysis().temp_size_in_bytes

    logits = 4096 * 4
    small, large, wide = peak(2**12, 64), peak(2**14, 64), peak(2**12, 256)
    assert large - small < 3 * (2**14 - 2**12) * 16 * 4, "as the hidden states do"
    assert large < 2**14 * logits / 30
    assert 150 * logits < wide - small < 800 * logits


@pytest.mark.parametrize("fsdp", [1, 2])
def test_under_a_mesh_rows_stay_on_their_devices(fsdp):
    """The table's gradient is summed once, after all tiles, and no rows move."""
    mesh = train.device_mesh(fsdp=fsdp)
    with jax.set_mesh(mesh):
        program = compiled(16, place=train.batch_sharding(mesh))
    module = plan.Module(program.as_text())
    assert max(module.times.values()) >= 1024 // 8 // 16
    collectives = plan.find_collectives(module, dict(mesh.shape))
    assert {x.kind for x in collectives} == {"all-reduce"}
    assert {x.times for x in collectives} == {1}
    assert sum(x.bytes for x in collectives) < 512 * 16 * 4 + 100


def test_under_a_mesh_the_result_is_the_same():
    mesh = train.device_mesh(fsdp=2)
    given = example()
    step = jax.value_and_grad(lambda *x: loss_of(*x, tile=3), argnums=(0, 1, 2))
    expected = jax.jit(step)(*given)
    placed = [jax.device_put(x, train.batch_sharding(mesh)) for x in given if len(x) == ROWS]
    with jax.set_mesh(mesh):
        found = jax.jit(step)(placed[0], *given[1:3], *placed[1:])
        uneven = jax.jit(loss_of)(given[0][:13], *given[1:3], *(x[:13] for x in given[3:]))
    for a, e in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, e, rtol=1e-5, atol=1e-6)
    assert jnp.isfinite(uneven)


def test_without_a_mesh_tiles_take_rows_of_every_device():
    """Sharded rows are never gathered, whole or in part."""
    place = train.batch_sharding(train.device_mesh())
    text = compiled(128, place=place).as_text()
    assert re.search(r"f32\[512,16\]\S* dot", text), "each device multiplies its 16 rows of a tile"
    assert "all-gather" not in text
    assert "all-to-all" not in text


def test_several_runs_at_once():
    h, table, bias, targets, weights = example()
    tables = jnp.stack([table, 2 * table])
    step = jax.grad(lambda table: loss_of(h, table, bias, targets, weights, tile=10))
    both = jax.vmap(step)(tables)
    for found, own in zip(both, tables, strict=True):
        np.testing.assert_allclose(found, step(own), rtol=1e-5, atol=1e-6)


def test_wrong_arguments_are_refused():
    h, table, bias, targets, weights = example()
    tied = inspect.unwrap(losses.tied_cross_entropy)
    for wrong in (
        (h[:, :3], table, targets, weights, bias),
        (h, table, targets[:3], weights, bias),
        (h, table, targets, weights[:3], bias),
        (h, table, targets, weights, bias[:3]),
        (h[:0], table, targets[:0], weights[:0], bias),
    ):
        with pytest.raises(ValueError, match="expected h"):
            tied(*wrong[:4], bias=wrong[4])
    with pytest.raises(ValueError, match="tile of 1 row or more"):
        tied(h, table, targets, tile=0)
    token = inspect.unwrap(losses.token_cross_entropy)
    with pytest.raises(ValueError, match="expected logits"):
        token(h, targets[:3])
    with pytest.raises(ValueError, match="expected logits"):
        token(h, targets, weights[:3])
    with pytest.raises(ValueError, match="label smoothing"):
        token(h, targets, label_smoothing=1.0)
