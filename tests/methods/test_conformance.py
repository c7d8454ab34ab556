"""What every method keeps to; see tests/conformance.py for the rows."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jssl import train
from tests import conformance

STEPS = 25

every_method = pytest.mark.parametrize("row", conformance.ROWS, ids=lambda row: row.name)


class Run:
    """One method, compiled once for all tests of its row."""

    def __init__(self, row):
        self.row, self.batch, self.traces = row, conformance.batch(), 0
        self.optimizer = optax.adam(row.learning_rate)
        step = train.make_step(row.method, self.optimizer)

        def counted(state, batch):
            self.traces += 1
            return step(state, batch)

        self.step = jax.jit(counted)
        self.state = jax.jit(self._init)(jax.random.key(0))

    def _init(self, key):
        return train.init_state(self.row.method, self.optimizer, key, self.batch)

    @functools.cached_property
    def history(self):
        state, history = self.state, []
        for _ in range(STEPS):
            state, metrics = self.step(state, self.batch)
            history.append((state, metrics))
        return history

    @functools.cached_property
    def gradients(self):
        def loss(params, method_state):
            key, step = jax.random.key(1), jnp.asarray(self.row.grown, jnp.int32)
            return self.row.method.loss(params, method_state, self.batch, key=key, step=step)[0]

        gradient = jax.jit(jax.grad(loss, argnums=(0, 1), allow_int=True))
        return gradient(self.state.params, self.state.method_state)


@functools.cache
def run_of(name):
    return Run(next(row for row in conformance.ROWS if row.name == name))


def named_leaves(tree):
    return [(jax.tree_util.keystr(path), leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)]


@every_method
def test_loss_and_metrics_are_finite_scalars(row):
    for _, metrics in run_of(row.name).history:
        for name, value in metrics.items():
            assert value.shape == (), name
            assert np.isfinite(value), name


@every_method
def test_every_parameter_learns(row):
    idle = [name for name, leaf in named_leaves(run_of(row.name).gradients[0]) if not np.any(leaf)]
    assert idle == []


@every_method
def test_no_gradient_flows_into_the_state(row):
    for name, leaf in named_leaves(run_of(row.name).gradients[1]):
        assert leaf.dtype == jax.dtypes.float0 or not np.any(leaf), name


@every_method
def test_a_step_keeps_structure_and_dtypes(row):
    run = run_of(row.name)
    after = run.history[0][0]
    assert [(n, x.shape, x.dtype) for n, x in named_leaves(run.state)] == [
        (n, x.shape, x.dtype) for n, x in named_leaves(after)
    ]


@every_method
def test_equal_keys_give_equal_results(row):
    run = run_of(row.name)
    again = run.step(run.state, run.batch)
    for (name, a), (_, b) in zip(named_leaves(again), named_leaves(run.history[0]), strict=True):
        if not jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
            np.testing.assert_array_equal(a, b, err_msg=name)
    other = run.step(run.state._replace(key=jax.random.key(7)), run.batch)
    assert other[1]["loss"] != again[1]["loss"]


@every_method
def test_steps_share_one_trace(row):
    run = run_of(row.name)
    assert run.history
    assert run.traces == 1


@every_method
def test_one_device_equals_eight(row):
    """Two steps, in float32: sums in another order are amplified by batch norm and by Adam's division."""
    run = run_of(row.name)
    sgd = optax.sgd(0.1)
    step = jax.jit(train.make_step(row.method, sgd))
    mesh = train.data_mesh()
    start = run.state._replace(opt_state=sgd.init(run.state.params))
    results = []
    for place in (train.replicated(train.data_mesh(jax.devices()[:1])), train.batch_sharding(mesh)):
        everywhere = train.replicated(place.mesh)
        state, batch = jax.device_put(start, everywhere), jax.device_put(run.batch, place)
        state, _ = step(state, batch)
        results.append(step(state, batch))
    (one, one_metrics), (eight, eight_metrics) = results
    assert len(jax.tree.leaves(eight.params)[0].sharding.device_set) == 8
    np.testing.assert_allclose(one_metrics["loss"], eight_metrics["loss"], rtol=1e-4)
    for (name, a), (_, b) in zip(named_leaves(one.params), named_leaves(eight.params), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=2e-4, err_msg=name)
    for (name, a), (_, b) in zip(
        named_leaves(one.method_state), named_leaves(eight.method_state), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=2e-4, err_msg=name)


@every_method
def test_loss_falls(row):
    losses = [float(metrics["loss"]) for _, metrics in run_of(row.name).history]
    assert np.mean(losses[-3:]) < 0.9 * np.mean(losses[:3]), losses


@every_method
def test_embed(row):
    run = run_of(row.name)
    state, image = run.history[-1][0], run.batch["image"]
    embed = jax.jit(functools.partial(row.method.embed, state.params, state.method_state))
    features = embed(image)
    assert features.shape == (16, row.dim)
    assert features.dtype == jnp.float32
    np.testing.assert_allclose(embed(image / 255), features, rtol=1e-3, atol=1e-4)
    turned = embed(jnp.flip(image, 0))
    np.testing.assert_allclose(jnp.flip(turned, 0), features, rtol=1e-3, atol=1e-4)


@every_method
def test_show(row):
    run = run_of(row.name)
    state = run.history[-1][0]
    show = jax.jit(functools.partial(row.method.show, state.params, state.method_state))
    pictures = show(run.batch, key=jax.random.key(2))
    assert {name: picture.shape for name, picture in pictures.items()} == row.show
    for name, picture in pictures.items():
        assert np.isfinite(picture).all(), name
        if picture.ndim == 5:
            assert picture.min() >= 0, name
            assert picture.max() <= 1, name


@every_method
def test_a_batch_without_its_array_says_so(row):
    with pytest.raises(ValueError, match="inputs="):
        row.method.init(jax.random.key(0), {"label": jnp.zeros(4, jnp.int32)})
