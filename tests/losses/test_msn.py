import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import losses, ops
from tests.losses.golden import TOLERANCE, cases
from tests.ops.across_devices import assert_same_across_devices


def cosines(*shape, seed=0):
    return jnp.tanh(jax.random.normal(jax.random.key(seed), shape))


def softmax(x):
    exps = np.exp(np.asarray(x, np.float64))
    return exps / exps.sum()


def entropy(p):
    return -np.sum(p * np.log(p))


def test_equals_explicit_loops():
    anchors, targets = cosines(5, 3, 7), cosines(5, 7, seed=1)
    terms, entropies, predictions = [], [], []
    for n in range(5):
        sharp = softmax(targets[n] / 0.3) ** 2
        for m in range(3):
            p = softmax(anchors[n, m] / 0.3)
            terms.append(-np.sum(sharp / sharp.sum() * np.log(p)))
            entropies.append(entropy(p))
            predictions.append(p)
    unused = np.log(7) - entropy(np.mean(predictions, axis=0))
    actual = losses.msn(
        anchors,
        losses.msn_targets(targets, temperature=0.3, sharpening=0.5, num_iterations=0),
        temperature=0.3,
        mean_entropy_weight=2.0,
        entropy_weight=0.5,
    )
    np.testing.assert_allclose(actual, np.mean(terms) + 2 * unused + 0.5 * np.mean(entropies), rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_equals_reference_implementation(dtype):
    def loss(anchors, target, prototypes, mean_entropy_weight, sharpening, num_iterations):
        anchors, target, prototypes = (ops.l2_normalize(x) for x in (anchors, target, prototypes))
        targets = losses.msn_targets(
            target @ prototypes.T, sharpening=sharpening, num_iterations=num_iterations
        )
        return losses.msn(anchors @ prototypes.T, targets, mean_entropy_weight=mean_entropy_weight)

    value_and_grad = jax.jit(jax.value_and_grad(loss, argnums=(0, 2)), static_argnums=(3, 4, 5))
    with jax.enable_x64(dtype == "float64"):
        for case in cases("msn", "distillation"):
            arrays = [jnp.asarray(case.arrays[name], dtype) for name in ("anchors", "target", "prototypes")]
            options = [float(case.arguments[name]) for name in ("mean_entropy_weight", "sharpening")]
            options.append(int(case.arguments["num_iterations"]))
            value, gradients = value_and_grad(*arrays, *options)
            tolerance = {"rtol": 3 * TOLERANCE[dtype], "atol": 3 * TOLERANCE[dtype], "err_msg": str(case)}
            np.testing.assert_allclose(value, case.arrays[f"value_{dtype}"], **tolerance)
            for name, gradient in zip(("anchors", "prototypes"), gradients, strict=True):
                np.testing.assert_allclose(gradient, case.arrays[f"gradient_{name}_{dtype}"], **tolerance)


def test_targets_are_shared_out():
    """After Sinkhorn-Knopp each prototype has about as many examples as any other."""
    scores = cosines(64, 4) + 2 * jnp.eye(4)[:1]
    plain = losses.msn_targets(scores, sharpening=1.0, num_iterations=0)
    shared = losses.msn_targets(scores, sharpening=1.0, num_iterations=20)
    np.testing.assert_allclose(shared.sum(axis=1), 1.0, rtol=1e-5)
    assert plain[:, 0].mean() > 0.9
    np.testing.assert_allclose(shared.mean(axis=0), 0.25, atol=0.02)


def test_sharpening_is_a_lower_temperature():
    scores = cosines(4, 6)
    sharp = losses.msn_targets(scores, temperature=0.2, sharpening=0.25, num_iterations=0)
    np.testing.assert_allclose(sharp, jax.nn.softmax(scores / 0.05), rtol=1e-5, atol=1e-7)


def test_the_regulariser_is_zero_where_all_prototypes_are_used_alike():
    anchors = 5 * jnp.eye(4)[:, None]
    targets = jnp.eye(4)
    both = [losses.msn(anchors, targets, mean_entropy_weight=weight) for weight in (0.0, 1.0)]
    np.testing.assert_allclose(both[0], both[1], atol=1e-6)
    one = jnp.tile(anchors[:1], (4, 1, 1))
    both = [losses.msn(one, targets, mean_entropy_weight=weight) for weight in (0.0, 1.0)]
    np.testing.assert_allclose(both[1] - both[0], np.log(4), rtol=1e-4)


def test_no_gradient_into_targets():
    anchors, targets = cosines(4, 2, 5), cosines(4, 5, seed=1)
    gradient = jax.grad(lambda t: losses.msn(anchors, losses.msn_targets(t)))(targets)
    assert (gradient == 0).all()
    gradient = jax.grad(lambda t: losses.msn(anchors, t))(losses.msn_targets(targets))
    assert (gradient == 0).all()


def test_same_across_devices():
    def loss(prototypes, z, target, axis_name):
        targets = losses.msn_targets(jnp.tanh(target @ prototypes), axis_name=axis_name)
        return losses.msn(jnp.tanh(z @ prototypes), targets, entropy_weight=0.3, axis_name=axis_name)

    assert_same_across_devices(
        loss, cosines(3, 6), cosines(16, 4, 3, seed=1), cosines(16, 3, seed=2), atol=1e-5
    )


def test_bfloat16_is_computed_in_float32():
    anchors, targets = cosines(4, 3, 5).astype(jnp.bfloat16), losses.msn_targets(cosines(4, 5, seed=1))
    value = losses.msn(anchors, targets)
    assert value.dtype == losses.msn_targets(cosines(4, 5).astype(jnp.bfloat16)).dtype == jnp.float32
    np.testing.assert_allclose(value, losses.msn(anchors.astype(jnp.float32), targets), rtol=1e-6)


@pytest.mark.parametrize("scale", [1e3, 1e6])
def test_finite_for_extreme_scores(scale):
    anchors, targets = scale * cosines(4, 3, 5), losses.msn_targets(scale * cosines(4, 5, seed=1))
    value, gradient = jax.value_and_grad(lambda a: losses.msn(a, targets, entropy_weight=1.0))(anchors)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


def test_wrong_arguments():
    anchors, targets = cosines(4, 2, 5), cosines(4, 5)
    for wrong in (
        lambda: inspect.unwrap(losses.msn)(anchors, cosines(3, 5)),
        lambda: losses.msn(anchors, targets, temperature=0.0),
        lambda: losses.msn_targets(targets, sharpening=0.0),
        lambda: losses.msn_targets(targets, num_iterations=-1),
    ):
        with pytest.raises(ValueError, match="expected"):
            wrong()
