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
        self.state = self.refreshed(jax.jit(self._init)(jax.random.key(0)))

    def _init(self, key):
        return train.init_state(self.row.method, self.optimizer, key, self.batch)

    def refreshed(self, state):
        """As before the first step, if the method has a refresh."""
        if self.row.method.refresh is None:
            return state
        examples = conformance.Examples(self.batch)
        params, method_state, metrics = self.row.method.refresh(
            state.params, state.method_state, examples, key=jax.random.key(5)
        )
        assert all(np.isfinite(value) for value in metrics.values())
        return state._replace(params=params, method_state=method_state)

    @functools.cached_property
    def history(self):
        state, history = self.state, []
        for _ in range(STEPS):
            state, metrics = self.step(state, self.batch)
            history.append((state, metrics))
        return history

    def differentiate(self, batch, *, devices=1):
        """Loss, new state and metrics, and gradients in parameters and state, once everything takes part."""
        state = self.history[self.row.grown][0]
        mesh = train.device_mesh(jax.devices()[:devices])
        params, method_state = jax.device_put((state.params, state.method_state), train.replicated(mesh))
        batch = jax.device_put(batch, train.batch_sharding(mesh))
        return self._value_and_grad(params, method_state, batch)

    @functools.cached_property
    def _value_and_grad(self):
        def loss(params, method_state, batch):
            step = jnp.asarray(self.row.grown, jnp.int32)
            return self.row.method.loss(params, method_state, batch, key=jax.random.key(1), step=step)

        return jax.jit(jax.value_and_grad(loss, argnums=(0, 1), has_aux=True, allow_int=True))

    @functools.cached_property
    def on_one_device(self):
        return self.differentiate(self.batch)


@pytest.fixture(scope="module", params=conformance.ROWS, ids=lambda row: row.name)
def run(request):
    """One row after the other, so that what one has compiled is dropped before the next."""
    yield Run(request.param)
    jax.clear_caches()


def named_leaves(tree):
    return [(jax.tree_util.keystr(path), leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)]


def test_loss_and_metrics_are_finite_scalars(run):
    for _, metrics in run.history:
        for name, value in metrics.items():
            assert value.shape == (), name
            assert np.isfinite(value), name


def test_every_parameter_learns(run):
    idle = [name for name, leaf in named_leaves(run.on_one_device[1][0]) if not np.any(leaf)]
    assert idle == []


def test_no_gradient_flows_into_the_state(run):
    for name, leaf in named_leaves(run.on_one_device[1][1]):
        assert leaf.dtype == jax.dtypes.float0 or not np.any(leaf), name


def test_a_step_keeps_structure_and_dtypes(run):
    after = run.history[0][0]
    assert [(n, x.shape, x.dtype) for n, x in named_leaves(run.state)] == [
        (n, x.shape, x.dtype) for n, x in named_leaves(after)
    ]


def test_a_refresh_keeps_structure_and_dtypes_and_repeats(run):
    first, second = (run.refreshed(run.history[-1][0]) for _ in range(2))
    assert [(n, x.shape, x.dtype) for n, x in named_leaves(run.state)] == [
        (n, x.shape, x.dtype) for n, x in named_leaves(first)
    ]
    for (name, a), (_, b) in zip(named_leaves(first), named_leaves(second), strict=True):
        if not jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
            np.testing.assert_array_equal(a, b, err_msg=name)


def test_equal_keys_give_equal_results(run):
    again = run.step(run.state, run.batch)
    for (name, a), (_, b) in zip(named_leaves(again), named_leaves(run.history[0]), strict=True):
        if not jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
            np.testing.assert_array_equal(a, b, err_msg=name)
    other = run.step(run.state._replace(key=jax.random.key(7)), run.batch)
    assert other[1]["loss"] != again[1]["loss"]


def test_steps_share_one_trace(run):
    assert run.history
    assert run.traces == 1


def test_one_device_equals_eight(run):
    """In float32, where sums in another order differ a little and batch norm amplifies it."""
    (loss, _), (gradients, _) = eight = run.differentiate(run.batch, devices=8)
    assert all(len(leaf.sharding.device_set) == 8 for leaf in jax.tree.leaves((loss, gradients)))
    for (name, a), (_, b) in zip(named_leaves(run.on_one_device), named_leaves(eight), strict=True):
        if a.dtype != jax.dtypes.float0:
            scale = np.abs(a).max() + 1e-3
            np.testing.assert_allclose(a / scale, b / scale, atol=1e-3, err_msg=name)


def test_loss_falls(run):
    losses = [float(metrics["loss"]) for _, metrics in run.history]
    assert np.mean(losses[-3:]) < 0.9 * np.mean(losses[:3]), losses


def test_embed(run):
    state, inputs = run.history[-1][0], run.batch[run.row.inputs]
    embed = jax.jit(functools.partial(run.row.method.embed, state.params, state.method_state))
    features = embed(inputs)
    assert features.shape == (16, run.row.dim)
    assert features.dtype == jnp.float32
    if run.row.inputs == "image":
        np.testing.assert_allclose(embed(inputs / 255), features, rtol=1e-3, atol=1e-4)
    turned = embed(jnp.flip(inputs, 0))
    np.testing.assert_allclose(jnp.flip(turned, 0), features, rtol=1e-3, atol=1e-4)


def test_show(run):
    if run.row.method.show is None:
        assert run.row.show == {}
        return
    state = run.history[-1][0]
    show = jax.jit(functools.partial(run.row.method.show, state.params, state.method_state))
    pictures = show(run.batch, key=jax.random.key(2))
    assert {name: picture.shape for name, picture in pictures.items()} == run.row.show
    for name, picture in pictures.items():
        assert np.isfinite(picture).all(), name
        if picture.ndim == 5:
            assert picture.min() >= 0, name
            assert picture.max() <= 1, name


def test_a_batch_without_its_array_says_so(run):
    with pytest.raises(ValueError, match="inputs="):
        run.row.method.init(jax.random.key(0), {"label": jnp.zeros(4, jnp.int32)})
