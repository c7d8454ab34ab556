import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import losses
from tests.losses.golden import TOLERANCE, cases
from tests.losses.test_contrastive import naive_cosine
from tests.ops.across_devices import assert_same_across_devices

LOSSES = {"moco": losses.moco, "nnclr": losses.nnclr}
# Where the gradient flows, and the three inputs in their order.
LEARNS = {"moco": "q", "nnclr": "p"}
INPUTS = {"moco": ("q", "k", "queue"), "nnclr": ("z", "p", "queue")}
each_loss = pytest.mark.parametrize("name", LOSSES)


def embeddings(batch=8, dim=5, rows=12, seed=0):
    keys = jax.random.split(jax.random.key(seed), 3)
    return [jax.random.normal(key, (n, dim)) for key, n in zip(keys, (batch, batch, rows), strict=True)]


def naive_moco(q, k, queue, temperature):
    total = 0.0
    for i in range(len(q)):
        own = np.exp(naive_cosine(q[i], k[i]) / temperature)
        total -= np.log(own / (own + sum(np.exp(naive_cosine(q[i], row) / temperature) for row in queue)))
    return total / len(q)


def naive_nnclr(z, p, queue, temperature):
    total = 0.0
    for i in range(len(z)):
        nearest = max(queue, key=lambda row: naive_cosine(z[i], row))
        found = [np.exp(naive_cosine(nearest, candidate) / temperature) for candidate in p]
        total -= np.log(found[i] / sum(found))
    return total / len(z)


@pytest.mark.parametrize(("batch", "rows", "temperature"), [(1, 3, 1.0), (3, 1, 0.5), (8, 20, 0.07)])
@pytest.mark.parametrize("naive", [naive_moco, naive_nnclr])
def test_equals_explicit_loops(naive, batch, rows, temperature):
    inputs = embeddings(batch, 4, rows)
    expected = naive(*map(np.asarray, inputs), temperature)
    value = LOSSES[naive.__name__.removeprefix("naive_")](*inputs, temperature=temperature)
    np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@each_loss
def test_equals_reference_implementation(name, dtype):
    with jax.enable_x64(dtype == "float64"):
        for case in cases(name, "siamese"):
            inputs = [jnp.asarray(case.arrays[field], dtype) for field in INPUTS[name]]
            temperature = float(case.arguments["temperature"])

            def loss(*inputs, temperature=temperature):
                return LOSSES[name](*inputs, temperature=temperature)

            value, gradients = jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2)))(*inputs)
            assert value.dtype == dtype
            tolerance = {"rtol": TOLERANCE[dtype], "atol": TOLERANCE[dtype], "err_msg": str(case)}
            np.testing.assert_allclose(value, case.arrays[f"value_{dtype}"], **tolerance)
            for field, gradient in zip(INPUTS[name], gradients, strict=True):
                if field == LEARNS[name]:
                    expected = case.arrays[f"gradient_{field}_{dtype}"]
                    np.testing.assert_allclose(gradient, expected, **tolerance)
                else:
                    assert not np.any(gradient), field


def test_equal_embeddings_leave_a_uniform_guess():
    same, queue = jnp.ones((6, 3)), jnp.ones((9, 3))
    np.testing.assert_allclose(losses.moco(same, same, queue, temperature=0.1), np.log(10), rtol=1e-6)
    np.testing.assert_allclose(losses.nnclr(same, same, queue, temperature=0.1), np.log(6), rtol=1e-6)


def test_a_queue_of_the_batch_itself_makes_nnclr_an_info_nce():
    z, p, _ = embeddings()
    value = losses.nnclr(z, p, 3 * z, temperature=0.2)
    np.testing.assert_allclose(value, losses.info_nce(z, p, temperature=0.2), rtol=1e-6)


@each_loss
def test_invariant_to_the_queue_s_order_and_all_lengths(name):
    first, second, queue = embeddings()
    expected = LOSSES[name](first, second, queue, temperature=0.2)
    scale = jnp.linspace(0.1, 30.0, 8)[:, None]
    order = jax.random.permutation(jax.random.key(1), 12)
    changed = LOSSES[name](scale * first, second / scale, 5 * queue[order], temperature=0.2)
    np.testing.assert_allclose(changed, expected, rtol=1e-5)


@each_loss
def test_bfloat16_is_computed_in_float32(name):
    low = [x.astype(jnp.bfloat16) for x in embeddings()]
    value = LOSSES[name](*low, temperature=0.1)
    assert value.dtype == jnp.float32
    in_float32 = LOSSES[name](*(x.astype(jnp.float32) for x in low), temperature=0.1)
    np.testing.assert_allclose(value, in_float32, rtol=1e-5)


@each_loss
@pytest.mark.parametrize("scale", [0.0, 1e-20, 1e10])
def test_finite_for_any_length_and_temperature(name, scale):
    inputs = [scale * x for x in embeddings()]
    place = INPUTS[name].index(LEARNS[name])
    differentiated = jax.value_and_grad(
        lambda *inputs: LOSSES[name](*inputs, temperature=1e-4), argnums=place
    )
    value, gradient = differentiated(*inputs)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


@each_loss
@pytest.mark.parametrize("batch", [8, 16])
def test_same_across_devices(name, batch):
    first, second, queue = embeddings(batch)

    def loss(weights, a, b, axis_name):
        return LOSSES[name](jnp.tanh(a @ weights), b @ weights, queue, temperature=0.1, axis_name=axis_name)

    assert_same_across_devices(loss, jax.random.normal(jax.random.key(3), (5, 5)), first, second)


@each_loss
def test_shapes_must_fit(name):
    first, second, queue = embeddings()
    with pytest.raises(ValueError, match=r"queue \[rows, 5\]"):
        inspect.unwrap(LOSSES[name])(first, second, queue[:, :4], temperature=0.1)
    with pytest.raises(ValueError, match=r"queue \[rows, 5\]"):
        LOSSES[name](first, second, queue[:0], temperature=0.1)
    with pytest.raises(ValueError, match="two views of the same shape"):
        inspect.unwrap(LOSSES[name])(first, second[:3], queue, temperature=0.1)
    with pytest.raises(ValueError, match="temperature above 0"):
        LOSSES[name](first, second, queue, temperature=0.0)
