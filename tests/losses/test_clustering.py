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


def naive_swav(scores, codes, temperature):
    scores, codes = (np.asarray(x, np.float64) for x in (scores, codes))
    (batch, num_views, _), num_globals = scores.shape, codes.shape[1]
    terms = []
    for g in range(num_globals):
        for v in range(num_views):
            if v != g:
                for n in range(batch):
                    exps = np.exp(scores[n, v] / temperature)
                    terms.append(-np.sum(codes[n, g] * np.log(exps / exps.sum())))
    return np.mean(terms)


@pytest.mark.parametrize(("num_views", "num_globals"), [(2, 2), (8, 2), (2, 1), (3, 3)])
def test_equals_explicit_loops(num_views, num_globals):
    scores = cosines(5, num_views, 7)
    codes = losses.swav_codes(scores[:, :num_globals])
    actual = losses.swav(scores, codes, temperature=0.1)
    np.testing.assert_allclose(actual, naive_swav(scores, codes, 0.1), rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_equals_reference_implementation(dtype):
    def loss(scores, queued):
        return losses.swav(scores, losses.swav_codes(scores[:, :2], queued=queued), temperature=0.1)

    with jax.enable_x64(dtype == "float64"):
        for case in cases("swav"):
            scores = jnp.asarray(case.arrays["scores"], dtype)
            queued = case.arrays.get("queued")
            queued = queued if queued is None else jnp.asarray(queued, dtype)
            value, gradient = jax.jit(jax.value_and_grad(loss))(scores, queued)
            tolerance = {"rtol": 3 * TOLERANCE[dtype], "atol": 3 * TOLERANCE[dtype], "err_msg": str(case)}
            np.testing.assert_allclose(value, case.arrays[f"value_{dtype}"], **tolerance)
            np.testing.assert_allclose(gradient, case.arrays[f"gradient_scores_{dtype}"], **tolerance)


def test_equal_scores_leave_a_uniform_guess():
    scores = jnp.ones((6, 4, 9))
    loss = losses.swav(scores, losses.swav_codes(scores[:, :2]), temperature=0.1)
    np.testing.assert_allclose(loss, np.log(9), rtol=1e-6)


def test_no_gradient_into_codes():
    scores = cosines(4, 2, 5)
    gradient = jax.grad(lambda codes: losses.swav(scores, codes, temperature=0.1))(losses.swav_codes(scores))
    assert (gradient == 0).all()
    assert (jax.grad(lambda s: losses.swav_codes(s).max())(scores) == 0).all()


def test_a_view_does_not_predict_its_own_code():
    scores = cosines(4, 3, 5)
    codes = losses.swav_codes(scores[:, :1])
    gradient = jax.grad(lambda s: losses.swav(s, codes, temperature=0.1))(scores)
    assert (gradient[:, 0] == 0).all()
    assert (gradient[:, 1:] != 0).all()


def test_invariant_to_order_of_examples_and_prototypes():
    scores = cosines(6, 4, 5)

    def loss(scores):
        return losses.swav(scores, losses.swav_codes(scores[:, :2]), temperature=0.1)

    examples, prototypes = (jax.random.permutation(jax.random.key(i), n) for i, n in enumerate((6, 5)))
    np.testing.assert_allclose(loss(scores[examples][:, :, prototypes]), loss(scores), rtol=1e-6)


def test_rows_of_the_queue_count_only_where_valid():
    scores, queued = cosines(4, 2, 5), cosines(3, 2, 5, seed=1)
    alone = losses.swav_codes(scores)
    queue = ops.queue_push(ops.queue_init(3, 2, 5), queued[:2])
    np.testing.assert_allclose(
        losses.swav_codes(scores, queued=queue.rows, where=ops.queue_valid(queue)),
        losses.swav_codes(scores, queued=queued[:2]),
        rtol=1e-5,
    )
    none = jnp.zeros(3, bool)
    np.testing.assert_allclose(losses.swav_codes(scores, queued=queued, where=none), alone, rtol=1e-6)
    assert np.abs(losses.swav_codes(scores, queued=queued) - alone).max() > 1e-2


@pytest.mark.parametrize("with_queue", [False, True])
def test_same_across_devices(with_queue):
    def loss(prototypes, z, queue, axis_name):
        queued = jnp.tanh(queue @ prototypes) if with_queue else None
        scores = jnp.tanh(z @ prototypes)
        codes = losses.swav_codes(scores[:, :2], queued=queued, axis_name=axis_name)
        return losses.swav(scores, codes, temperature=0.1, axis_name=axis_name)

    prototypes = cosines(3, 6)
    assert_same_across_devices(
        loss, prototypes, cosines(16, 4, 3, seed=1), cosines(8, 2, 3, seed=2), atol=1e-5
    )


def test_bfloat16_is_computed_in_float32():
    scores = cosines(4, 3, 5).astype(jnp.bfloat16)
    codes = losses.swav_codes(scores[:, :2])
    assert codes.dtype == jnp.float32
    value = losses.swav(scores, codes, temperature=0.1)
    assert value.dtype == jnp.float32
    in_float32 = losses.swav(scores.astype(jnp.float32), codes, temperature=0.1)
    np.testing.assert_allclose(value, in_float32, rtol=1e-6)


@pytest.mark.parametrize("scale", [1e3, 1e6])
def test_finite_for_extreme_scores(scale):
    scores = scale * cosines(4, 3, 5)

    def loss(scores):
        return losses.swav(scores, losses.swav_codes(scores[:, :2]), temperature=0.1)

    value, gradient = jax.value_and_grad(loss)(scores)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize(
    ("scores", "codes"),
    [
        ((4, 1, 5), (4, 1, 5)),
        ((4, 2, 5), (4, 3, 5)),
        ((4, 2, 5), (3, 2, 5)),
        ((4, 2, 5), (4, 2, 6)),
        ((4, 5), (4, 5)),
    ],
)
def test_codes_must_fit(scores, codes):
    with pytest.raises(ValueError, match="expected scores"):
        inspect.unwrap(losses.swav)(jnp.ones(scores), jnp.ones(codes), temperature=0.1)


def test_temperature_must_be_positive():
    with pytest.raises(ValueError, match="temperature above 0"):
        losses.swav(cosines(4, 2, 5), cosines(4, 2, 5), temperature=0.0)
