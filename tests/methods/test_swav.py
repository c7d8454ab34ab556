import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import methods, nn, ops
from tests import conformance


def swav(**options):
    defaults = {
        "encoder": conformance.resnet(),
        "projector": nn.mlp((16, 8)),
        "num_prototypes": 6,
        "augment": conformance.crops,
    }
    return methods.swav(**{**defaults, **options})


def compiled(method, batch):
    return jax.jit(jax.value_and_grad(method.loss, has_aux=True)), jax.jit(method.init)(
        jax.random.key(0), batch
    )


def test_prototypes_are_frozen_at_first():
    batch = conformance.batch()
    step, (params, state) = compiled(swav(freeze_prototypes_steps=2), batch)
    moving = []
    for number in range(4):
        _, gradients = step(params, state, batch, key=jax.random.key(1), step=jnp.asarray(number))
        assert np.any(gradients["projector"]["Dense_0"]["kernel"])
        moving.append(bool(np.any(gradients["prototypes"]["kernel"])))
    assert moving == [False, False, True, True]


def test_queue_holds_the_last_global_views_and_takes_part_when_told():
    batch = conformance.batch()
    step, (params, state) = compiled(swav(queue_size=32, queue_start_step=2), batch)
    assert state.queue.rows.shape == (32, 2, 8)
    without, (empty_params, empty_state) = compiled(swav(), batch)
    assert jax.tree.all(jax.tree.map(np.array_equal, params, empty_params))
    values = []
    for number in range(4):
        at = jnp.asarray(number)
        (value, (state, _)), _ = step(params, state, batch, key=jax.random.key(number), step=at)
        (plain, (empty_state, _)), _ = without(
            params, empty_state, batch, key=jax.random.key(number), step=at
        )
        values.append(abs(float(value - plain)))
        assert state.queue.size == min(16 * (number + 1), 32)
    assert max(values[:2]) < 1e-6
    assert min(values[2:]) > 1e-6
    np.testing.assert_allclose(jnp.linalg.norm(state.queue.rows, axis=-1), 1.0, rtol=1e-5)


def test_two_views_alone_are_enough():
    batch = conformance.batch()
    step, (params, state) = compiled(swav(augment=conformance.two_views), batch)
    (value, _), _ = step(params, state, batch, key=jax.random.key(1), step=jnp.asarray(0))
    assert np.isfinite(value)


def test_metrics_tell_a_collapse():
    """With one embedding for all examples, one code remains in use at most and nothing spreads."""
    batch = conformance.batch()
    step, (params, state) = compiled(swav(), batch)
    last = params["projector"]["Dense_1"]
    collapsed = {"kernel": 0 * last["kernel"], "bias": 1 + last["bias"]}
    params["projector"]["Dense_1"] = collapsed
    (_, (_, metrics)), _ = step(params, state, batch, key=jax.random.key(1), step=jnp.asarray(0))
    assert metrics["collapse/std"] < 1e-3
    scores = ops.l2_normalize(collapsed["bias"]) @ ops.l2_normalize(params["prototypes"]["kernel"], axis=0)
    p = jax.nn.softmax(scores / 0.1)
    np.testing.assert_allclose(metrics["prototypes/used"], np.exp(-(p * np.log(p)).sum()), rtol=1e-4)
    np.testing.assert_allclose(metrics["prototypes/confidence"], p.max(), rtol=1e-4)
    found = swav().diagnose({name: float(value) for name, value in metrics.items()})
    assert "embedded nearly alike" in found[0]


def test_diagnose():
    fine = {"collapse/std": 0.8, "prototypes/used": 5.0, "classification/chance": 0.6}
    diagnose = swav().diagnose
    assert diagnose(fine) == diagnose({}) == []
    assert "Collapse to one prototype" in diagnose({**fine, "prototypes/used": 1.2})[0]
    assert "times log K" in diagnose({**fine, "classification/chance": 0.995})[0]


def test_chance_is_the_loss_in_units_of_a_guess():
    batch = conformance.batch()
    step, (params, state) = compiled(swav(), batch)
    (value, (_, metrics)), _ = step(params, state, batch, key=jax.random.key(1), step=jnp.asarray(0))
    np.testing.assert_allclose(metrics["classification/chance"], value / np.log(6), rtol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0.0},
        {"epsilon": 0.0},
        {"num_iterations": 0},
        {"queue_size": -1},
        {"num_prototypes": 1},
    ],
)
def test_wrong_arguments(options):
    with pytest.raises(ValueError, match="expected"):
        swav(**options)


def test_queue_shorter_than_a_batch():
    with pytest.raises(ValueError, match="at least a batch of 16"):
        swav(queue_size=8).init(jax.random.key(0), conformance.batch())


def test_wrong_views():
    with pytest.raises(ValueError, match="multi_crop"):
        swav(augment=conformance.noisy).init(jax.random.key(0), {"image": jnp.zeros((4, 1, 8, 3))})
