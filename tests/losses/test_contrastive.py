import inspect
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import losses
from tests.losses.golden import TOLERANCE, cases
from tests.ops.across_devices import AXIS, assert_same_across_devices, mapped, mesh

LOSSES = {"nt_xent": losses.nt_xent, "info_nce": losses.info_nce, "dcl": losses.dcl}
GOLDEN = {"dcl": "siamese"}
each_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())


def views(batch=8, dim=5, seed=0):
    return tuple(jax.random.normal(key, (batch, dim)) for key in jax.random.split(jax.random.key(seed)))


def naive_nt_xent(z_a, z_b, temperature):
    z = np.concatenate([z_a, z_b]).astype(np.float64)
    n, total = len(z_a), 0.0
    for i in range(2 * n):
        j = (i + n) % (2 * n)
        exps = [np.exp(naive_cosine(z[i], z[k]) / temperature) for k in range(2 * n)]
        total -= np.log(exps[j] / sum(exps[k] for k in range(2 * n) if k != i))
    return total / (2 * n)


def naive_dcl(z_a, z_b, temperature, sigma=None):
    n, total = len(z_a), 0.0
    cosines = [naive_cosine(a, b) for a, b in zip(z_a, z_b, strict=True)]
    z = [*z_a, *z_b]
    for i in range(2 * n):
        j = (i + n) % (2 * n)
        weight = 1.0
        if sigma is not None:
            weight = 2 - np.exp(cosines[i % n] / sigma) / np.mean([np.exp(c / sigma) for c in cosines])
        others = [np.exp(naive_cosine(z[i], z[k]) / temperature) for k in range(2 * n) if k not in (i, j)]
        total += np.log(sum(others)) - weight * cosines[i % n] / temperature
    return total / (2 * n)


def naive_info_nce(z_a, z_b, temperature):
    total = 0.0
    for i in range(len(z_a)):
        exps = [np.exp(naive_cosine(z_a[i], b) / temperature) for b in z_b]
        total -= np.log(exps[i] / sum(exps))
    return total / len(z_a)


def naive_cosine(x, y):
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    return x @ y / np.sqrt((x @ x) * (y @ y))


@pytest.mark.parametrize(("batch", "dim", "temperature"), [(2, 1, 1.0), (3, 7, 0.5), (8, 4, 0.1)])
@pytest.mark.parametrize("naive", [naive_nt_xent, naive_info_nce, naive_dcl])
def test_equals_explicit_loops(naive, batch, dim, temperature):
    loss = LOSSES[naive.__name__.removeprefix("naive_")]
    z_a, z_b = views(batch, dim)
    expected = naive(np.asarray(z_a), np.asarray(z_b), temperature)
    np.testing.assert_allclose(loss(z_a, z_b, temperature=temperature), expected, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", LOSSES)
def test_equals_reference_implementation(name, dtype):
    with jax.enable_x64(dtype == "float64"):
        for case in cases(name, GOLDEN.get(name, "losses")):
            sigma = {"sigma": float(case.arguments["sigma"])} if "sigma" in case.arguments else {}
            z = [jnp.asarray(case.arrays[view], dtype) for view in ("z_a", "z_b")]

            def loss(z_a, z_b, temperature=float(case.arguments["temperature"]), sigma=sigma):
                return LOSSES[name](z_a, z_b, temperature=temperature, **sigma)

            value, gradients = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))(*z)
            assert value.dtype == dtype
            tolerance = {"rtol": TOLERANCE[dtype], "atol": TOLERANCE[dtype], "err_msg": str(case)}
            np.testing.assert_allclose(value, case.arrays[f"value_{dtype}"], **tolerance)
            for view, gradient in zip(("z_a", "z_b"), gradients, strict=True):
                expected = case.arrays[f"gradient_{view}_{dtype}"]
                np.testing.assert_allclose(gradient, expected, **tolerance)


def test_equal_embeddings_leave_a_uniform_guess():
    z = jnp.ones((6, 3))
    np.testing.assert_allclose(losses.nt_xent(z, z, temperature=0.1), np.log(2 * 6 - 1), rtol=1e-6)
    np.testing.assert_allclose(losses.info_nce(z, z, temperature=0.1), np.log(6), rtol=1e-6)
    np.testing.assert_allclose(losses.dcl(z, z, temperature=0.1), np.log(2 * 6 - 2), rtol=1e-6)


def test_orthogonal_examples_have_the_closed_form():
    z, t = jnp.eye(4), 0.5
    np.testing.assert_allclose(
        losses.nt_xent(z, z, temperature=t), np.log1p((2 * 4 - 2) * np.exp(-1 / t)), rtol=1e-6
    )
    np.testing.assert_allclose(
        losses.info_nce(z, z, temperature=t), np.log1p((4 - 1) * np.exp(-1 / t)), rtol=1e-6
    )
    np.testing.assert_allclose(losses.dcl(z, z, temperature=t), np.log(2 * 4 - 2) - 1 / t, rtol=1e-6)


@pytest.mark.parametrize("sigma", [0.05, 0.5, 10.0])
def test_weighted_dcl(sigma):
    z_a, z_b = views(6, 3)
    expected = naive_dcl(np.asarray(z_a), np.asarray(z_b), 0.2, sigma)
    np.testing.assert_allclose(losses.dcl(z_a, z_b, temperature=0.2, sigma=sigma), expected, rtol=1e-5)


def naive_hard(z_a, z_b, z_c, temperature, weight):
    """SimCSE's supervised loss as its code has it: the weight is added to the diagonal of the logits."""
    total = 0.0
    for i in range(len(z_a)):
        easy = [naive_cosine(z_a[i], b) / temperature for b in z_b]
        hard = [naive_cosine(z_a[i], c) / temperature + weight * (i == j) for j, c in enumerate(z_c)]
        total -= easy[i] - np.log(np.sum(np.exp([*easy, *hard])))
    return total / len(z_a)


@pytest.mark.parametrize("weight", [0.0, 0.5, 3.0])
def test_hard_negatives(weight):
    (z_a, z_b), (z_c, _) = views(6, 3), views(6, 3, seed=1)
    found = losses.info_nce(z_a, z_b, temperature=0.2, hard=z_c, hard_weight=weight)
    expected = naive_hard(*(np.asarray(z) for z in (z_a, z_b, z_c)), 0.2, weight)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_hard_negatives_across_devices():
    def loss(weights, a, b, c, axis_name):
        z_a, z_b, z_c = a @ weights, b @ weights, c @ weights
        return losses.info_nce(z_a, z_b, temperature=0.2, hard=z_c, hard_weight=1.0, axis_name=axis_name)

    rows = *views(16, 5), views(16, 5, seed=1)[0]
    assert_same_across_devices(loss, jax.random.normal(jax.random.key(3), (5, 4)), *rows)


def test_hard_weight_below_0_is_refused():
    z_a, z_b = views()
    with pytest.raises(ValueError, match="hard_weight of at least 0"):
        losses.info_nce(z_a, z_b, temperature=0.2, hard=z_b, hard_weight=-1.0)


def test_weighted_dcl_across_devices():
    def loss(weights, a, b, axis_name):
        return losses.dcl(a @ weights, b @ weights, temperature=0.2, sigma=0.5, axis_name=axis_name)

    assert_same_across_devices(loss, jax.random.normal(jax.random.key(3), (5, 4)), *views(16, 5))


@pytest.mark.parametrize("sigma", [0.0, -1.0, float("nan")])
def test_sigma_must_be_positive(sigma):
    with pytest.raises(ValueError, match="sigma above 0"):
        losses.dcl(*views(), temperature=0.2, sigma=sigma)


@each_loss
def test_invariant_to_order_rotation_and_scale(loss):
    z_a, z_b = views(8, 5)
    expected = loss(z_a, z_b, temperature=0.2)
    order = jax.random.permutation(jax.random.key(1), 8)
    rotation = jnp.linalg.qr(jax.random.normal(jax.random.key(2), (5, 5)))[0]
    scale = jnp.linspace(0.1, 30.0, 8)[:, None]
    changed = [(z_a[order], z_b[order]), (z_a @ rotation, z_b @ rotation), (scale * z_a, z_b / scale)]
    for a, b in changed:
        np.testing.assert_allclose(loss(a, b, temperature=0.2), expected, rtol=1e-5)


def test_symmetry():
    z_a, z_b = views()
    there, back = (losses.nt_xent(*pair, temperature=0.2) for pair in ((z_a, z_b), (z_b, z_a)))
    np.testing.assert_allclose(there, back, rtol=1e-6)
    there, back = (losses.dcl(*pair, temperature=0.2) for pair in ((z_a, z_b), (z_b, z_a)))
    np.testing.assert_allclose(there, back, rtol=1e-6)
    there, back = (losses.info_nce(*pair, temperature=0.2) for pair in ((z_a, z_b), (z_b, z_a)))
    assert abs(there - back) > 1e-3


@each_loss
def test_bfloat16_is_computed_in_float32(loss):
    low = [z.astype(jnp.bfloat16) for z in views()]
    value, gradient = jax.value_and_grad(lambda a, b: loss(a, b, temperature=0.1))(*low)
    assert value.dtype == jnp.float32
    assert gradient.dtype == jnp.bfloat16
    in_float32 = loss(*(z.astype(jnp.float32) for z in low), temperature=0.1)
    np.testing.assert_allclose(value, in_float32, rtol=1e-6)


@each_loss
@pytest.mark.parametrize("scale", [0.0, 1e-20, 1e10])
def test_finite_for_any_length_and_temperature(loss, scale):
    z_a, z_b = views()
    value, gradient = jax.value_and_grad(lambda a, b: loss(a, b, temperature=1e-4))(scale * z_a, z_b)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


@each_loss
def test_temperature_may_be_learned(loss):
    z_a, z_b = views()
    slope = jax.grad(lambda t: loss(z_a, z_b, temperature=t))(jnp.float32(0.5))
    step = 1e-2
    up, down = (loss(z_a, z_b, temperature=0.5 + s) for s in (step, -step))
    np.testing.assert_allclose(slope, (up - down) / (2 * step), rtol=1e-2)


@each_loss
@pytest.mark.parametrize("batch", [8, 16])
def test_same_across_devices(loss, batch):
    def loss_of_projection(weights, x_a, x_b, axis_name):
        return loss(jnp.tanh(x_a @ weights), jnp.tanh(x_b @ weights), temperature=0.1, axis_name=axis_name)

    weights = jax.random.normal(jax.random.key(3), (5, 4))
    assert_same_across_devices(loss_of_projection, weights, *views(batch, 5))


@each_loss
def test_under_jit_only_embeddings_travel_between_devices(loss):
    batch, dim = 64, 4
    sharding = jax.sharding.NamedSharding(mesh(), jax.sharding.PartitionSpec(AXIS))
    z = jax.device_put(jnp.ones((batch, dim)), sharding)
    gradient = jax.grad(lambda a, b: loss(a, b, temperature=0.1), argnums=(0, 1))
    program = jax.jit(gradient, out_shardings=sharding).lower(z, z).compile().as_text()
    sent = re.findall(
        r"f32\[([\d,]*)\]\S* (?:all-gather|all-reduce|all-to-all|collective-permute)\(", program
    )
    sizes = [np.prod([int(n) for n in shape.split(",") if n], dtype=int) for shape in sent]
    assert sizes
    assert max(sizes) <= 2 * batch * dim


def test_accuracy_counts_partners_that_are_nearest():
    z = jnp.eye(4)
    assert losses.contrastive_accuracy(z, z) == 1.0
    assert losses.contrastive_accuracy(z, z[jnp.array([0, 1, 3, 2])]) == 0.5


def test_accuracy_across_devices():
    z_a, z_b = views(16, 3)

    def accuracy(_, a, b):
        return losses.contrastive_accuracy(a, b, axis_name=AXIS)

    assert mapped(accuracy, 2, check_vma=True)(0.0, z_a, z_b) == losses.contrastive_accuracy(z_a, z_b)


@pytest.mark.parametrize("function", [*LOSSES.values(), losses.contrastive_accuracy])
@pytest.mark.parametrize("shapes", [((4, 3), (5, 3)), ((4, 3), (4, 2)), ((4,), (4,)), ((0, 3), (0, 3))])
def test_views_must_match(function, shapes):
    arguments = {"temperature": 0.1} if function in LOSSES.values() else {}
    with pytest.raises(ValueError, match="two views of the same shape"):
        inspect.unwrap(function)(*map(jnp.ones, shapes), **arguments)


@each_loss
@pytest.mark.parametrize("temperature", [0.0, -0.1, float("nan")])
def test_temperature_must_be_positive(loss, temperature):
    with pytest.raises(ValueError, match="temperature above 0"):
        loss(*views(), temperature=temperature)


@pytest.mark.parametrize("loss", [losses.nt_xent, losses.dcl])
def test_negatives_are_needed(loss):
    with pytest.raises(ValueError, match="at least 2 examples"):
        loss(*views(batch=1), temperature=0.1)
