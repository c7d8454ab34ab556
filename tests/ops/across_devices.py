"""One function on the global batch, and the same split over 8 devices in each way that jax knows."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

AXIS = "devices"
SPLIT, WHOLE = PartitionSpec(AXIS), PartitionSpec()


def assert_same_across_devices(loss: Callable, params: Any, *batch: jax.Array, atol: float = 2e-6) -> None:
    """`loss(params, *batch, axis_name)` has one value and one gradient, however the batch is split.

    Inside of a mapped function the gradient is that after `pmean`, as `jssl.ops.devices` promises.
    """
    expected = jax.jit(jax.value_and_grad(partial(loss, axis_name=None)))(params, *batch)
    assert any(np.abs(leaf).max() > 1e-3 for leaf in jax.tree.leaves(expected[1])), "a gradient to compare"
    for way in (sharded_jit, shard_map, unchecked_shard_map, differentiated_shard_map, pmap):
        actual = way(loss, params, *batch)
        for a, e in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(a, e, rtol=1e-5, atol=atol, err_msg=way.__name__)


def mesh() -> jax.sharding.Mesh:
    return jax.make_mesh((8,), (AXIS,), axis_types=(AxisType.Auto,))


def sharded_jit(loss, params, *batch):
    batch = jax.device_put(batch, NamedSharding(mesh(), SPLIT))
    params = jax.device_put(params, NamedSharding(mesh(), WHOLE))
    return jax.jit(jax.value_and_grad(partial(loss, axis_name=None)))(params, *batch)


def averaged(loss):
    """What users write inside of a mapped function."""

    def value_and_gradient(params, *shards):
        value, gradient = jax.value_and_grad(partial(loss, axis_name=AXIS))(params, *shards)
        return value, jax.lax.pmean(gradient, AXIS)

    return value_and_gradient


def mapped(function, num_batch: int, check_vma: bool):
    in_specs = (WHOLE, *[SPLIT] * num_batch)
    return jax.jit(
        jax.shard_map(function, mesh=mesh(), in_specs=in_specs, out_specs=WHOLE, check_vma=check_vma)
    )


def shard_map(loss, params, *batch):
    return mapped(averaged(loss), len(batch), check_vma=True)(params, *batch)


def unchecked_shard_map(loss, params, *batch):
    return mapped(averaged(loss), len(batch), check_vma=False)(params, *batch)


def differentiated_shard_map(loss, params, *batch):
    """Differentiated from outside: no `pmean` at all."""
    return jax.value_and_grad(mapped(partial(loss, axis_name=AXIS), len(batch), check_vma=True))(
        params, *batch
    )


def pmap(loss, params, *batch):
    shards = [x.reshape(8, -1, *x.shape[1:]) for x in batch]
    in_axes = (None, *[0] * len(shards))
    results = jax.pmap(averaged(loss), axis_name=AXIS, in_axes=in_axes)(params, *shards)
    for leaf in jax.tree.leaves(results):
        np.testing.assert_array_equal(leaf, np.broadcast_to(leaf[:1], leaf.shape), "equal on each device")
    return jax.tree.map(lambda leaf: leaf[0], results)
