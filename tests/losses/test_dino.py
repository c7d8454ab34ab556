import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import losses
from tests.losses.golden import TOLERANCE, cases
from tests.ops.across_devices import assert_same_across_devices

DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


def normal(*shape, seed=0):
    return jax.random.normal(jax.random.key(seed), shape)


def targets_of(*shape, seed=0):
    return losses.dino_targets(normal(*shape, seed=seed), jnp.zeros(shape[-1]), temperature=0.5)


def softmax(x):
    exps = np.exp(np.asarray(x, np.float64))
    return exps / exps.sum()


@pytest.mark.parametrize(("num_views", "num_globals"), [(2, 2), (8, 2), (2, 1)])
def test_equals_explicit_loops(num_views, num_globals):
    student, teacher, center = normal(5, num_views, 7), normal(5, num_globals, 7, seed=1), normal(7, seed=2)
    terms = []
    for n in range(5):
        for g in range(num_globals):
            target = softmax((teacher[n, g] - center) / 0.3)
            for v in range(num_views):
                if v != g:
                    terms.append(-np.sum(target * np.log(softmax(student[n, v] / 0.2))))
    targets = losses.dino_targets(teacher, center, temperature=0.3)
    np.testing.assert_allclose(losses.dino(student, targets, temperature=0.2), np.mean(terms), rtol=1e-5)


@DTYPES
def test_dino_equals_reference_implementation(dtype):
    def loss(student, teacher, center, temperature):
        return losses.dino(student, losses.dino_targets(teacher, center, temperature=temperature))

    with jax.enable_x64(dtype == "float64"):
        for case in cases("dino", "distillation"):
            arrays = [jnp.asarray(case.arrays[name], dtype) for name in ("student", "teacher", "center")]
            temperature = float(case.arguments["temperature"])
            value, gradient = jax.jit(jax.value_and_grad(loss))(*arrays, temperature)
            tolerance = {"rtol": 3 * TOLERANCE[dtype], "atol": 3 * TOLERANCE[dtype], "err_msg": str(case)}
            np.testing.assert_allclose(value, case.arrays[f"value_{dtype}"], **tolerance)
            np.testing.assert_allclose(gradient, case.arrays[f"gradient_student_{dtype}"], **tolerance)


@DTYPES
def test_center_equals_reference_implementation(dtype):
    with jax.enable_x64(dtype == "float64"):
        for case in cases("dino_center", "distillation"):
            center, teacher = (jnp.asarray(case.arrays[name], dtype) for name in ("center", "teacher"))
            np.testing.assert_allclose(
                losses.dino_center(center, teacher),
                case.arrays[f"value_{dtype}"],
                rtol=TOLERANCE[dtype],
                atol=1e-7,
                err_msg=str(case),
            )


@DTYPES
def test_ibot_equals_reference_implementation(dtype):
    def loss(student, teacher, center, mask):
        return losses.ibot(student, losses.dino_targets(teacher, center, temperature=0.0625), mask)

    with jax.enable_x64(dtype == "float64"):
        for case in cases("ibot", "distillation"):
            arrays = [jnp.asarray(case.arrays[name], dtype) for name in ("student", "teacher", "center")]
            value, gradient = jax.jit(jax.value_and_grad(loss))(*arrays, case.arrays["mask"] > 0)
            # In float64 too, lightly's weights 1 / |M| are float32.
            tolerance = {"rtol": max(3 * TOLERANCE[dtype], 1e-7), "atol": 1e-7, "err_msg": str(case)}
            np.testing.assert_allclose(value, case.arrays[f"value_{dtype}"], **tolerance)
            tolerance["atol"] = 3 * TOLERANCE["float32"]
            np.testing.assert_allclose(gradient, case.arrays[f"gradient_student_{dtype}"], **tolerance)


def test_ibot_equals_explicit_loops():
    student, teacher = normal(3, 4, 5), targets_of(3, 4, 5, seed=1)
    mask = jnp.array([[True, False, True, True], [False] * 4, [False, True, False, False]])
    rows = []
    for n in range(3):
        terms = [
            -np.sum(teacher[n, i] * np.log(softmax(student[n, i] / 0.2))) for i in range(4) if mask[n, i]
        ]
        rows.append(np.mean(terms) if terms else 0.0)
    actual = losses.ibot(student, teacher, mask, temperature=0.2)
    np.testing.assert_allclose(actual, np.mean(rows), rtol=1e-5)


def test_a_uniform_student_has_the_logarithm_of_the_prototypes():
    uniform, targets = jnp.ones((6, 4, 9)), targets_of(6, 2, 9)
    np.testing.assert_allclose(losses.dino(uniform, targets), np.log(9), rtol=1e-6)
    every = jnp.ones((6, 4), bool)
    np.testing.assert_allclose(losses.ibot(uniform, targets_of(6, 4, 9), every), np.log(9), rtol=1e-6)


def test_a_view_does_not_predict_itself():
    student, targets = normal(4, 3, 5), targets_of(4, 1, 5, seed=1)
    gradient = jax.grad(lambda s: losses.dino(s, targets))(student)
    assert (gradient[:, 0] == 0).all()
    assert (gradient[:, 1:] != 0).all()


def test_no_gradient_into_the_teacher():
    student, teacher, center = normal(4, 2, 5), normal(4, 2, 5, seed=1), normal(5, seed=2)

    def loss(teacher, center):
        targets = losses.dino_targets(teacher, center)
        moved = losses.dino_center(jnp.zeros(5), teacher)
        return (
            losses.dino(student, targets) + losses.ibot(student, targets, jnp.ones((4, 2), bool)) + moved[0]
        )

    for gradient in jax.grad(loss, argnums=(0, 1))(teacher, center):
        assert (gradient == 0).all()
    gradient = jax.grad(lambda t: losses.dino(student, t) + losses.ibot(student, t, jnp.ones((4, 2), bool)))
    assert (gradient(losses.dino_targets(teacher, center)) == 0).all()


def test_the_center_removes_what_all_examples_share():
    teacher, offset = normal(4, 3, 5), normal(5, seed=1)
    plain = losses.dino_targets(teacher, jnp.zeros(5))
    shifted = losses.dino_targets(teacher + offset.reshape(1, 1, 5), offset)
    np.testing.assert_allclose(shifted, plain, atol=1e-5)


def test_the_center_follows_the_mean_of_all_axes_but_the_last():
    center, teacher = normal(5), normal(3, 4, 5, seed=1)
    expected = 0.8 * center + 0.2 * teacher.reshape(12, 5).mean(axis=0)
    np.testing.assert_allclose(losses.dino_center(center, teacher, decay=0.8), expected, rtol=1e-5)


def test_same_across_devices():
    """The teacher's centre and, of each device, another number of masked tokens."""

    def loss(weights, z, mask, axis_name):
        logits = z @ weights
        center = losses.dino_center(jnp.ones(6), logits, axis_name=axis_name)
        targets = losses.dino_targets(logits, center, temperature=0.5)
        tokens = losses.ibot(logits, targets, mask, axis_name=axis_name)
        return tokens + losses.dino(logits, targets[:, :2], axis_name=axis_name)

    mask = jax.random.bernoulli(jax.random.key(3), 0.3, (16, 4))
    assert_same_across_devices(loss, normal(3, 6), normal(16, 4, 3, seed=1), mask, atol=1e-5)


def test_bfloat16_is_computed_in_float32():
    student, teacher = (normal(4, 3, 5, seed=i).astype(jnp.bfloat16) for i in range(2))
    targets = losses.dino_targets(teacher, jnp.zeros(5))
    assert targets.dtype == jnp.float32
    mask = jnp.ones((4, 3), bool)
    wide = student.astype(jnp.float32)
    for loss in (lambda s: losses.dino(s, targets), lambda s: losses.ibot(s, targets, mask)):
        assert loss(student).dtype == jnp.float32
        np.testing.assert_allclose(loss(student), loss(wide), rtol=1e-6)


@pytest.mark.parametrize("scale", [1e3, 1e6])
def test_finite_for_extreme_logits(scale):
    student, targets = scale * normal(4, 3, 5), losses.dino_targets(scale * normal(4, 3, 5), jnp.zeros(5))

    def loss(student):
        return losses.dino(student, targets) + losses.ibot(student, targets, jnp.ones((4, 3), bool))

    value, gradient = jax.value_and_grad(loss)(student)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize(
    ("student", "targets"),
    [((4, 1, 5), (4, 1, 5)), ((4, 2, 5), (4, 3, 5)), ((4, 2, 5), (3, 2, 5)), ((4, 2, 5), (4, 2, 6))],
)
def test_targets_must_fit(student, targets):
    with pytest.raises(ValueError, match="expected logits"):
        inspect.unwrap(losses.dino)(jnp.ones(student), jnp.ones(targets))


def test_tokens_must_fit():
    with pytest.raises(ValueError, match="expected prediction and target"):
        inspect.unwrap(losses.ibot)(jnp.ones((4, 3, 5)), jnp.ones((4, 3, 5)), jnp.ones((4, 2), bool))


def test_temperatures_must_be_positive():
    for wrong in (
        lambda: losses.dino(normal(4, 2, 5), targets_of(4, 2, 5), temperature=0.0),
        lambda: losses.dino_targets(normal(4, 2, 5), jnp.zeros(5), temperature=0.0),
        lambda: losses.ibot(normal(4, 2, 5), targets_of(4, 2, 5), jnp.ones((4, 2), bool), temperature=-1.0),
    ):
        with pytest.raises(ValueError, match="temperature above 0"):
            wrong()
