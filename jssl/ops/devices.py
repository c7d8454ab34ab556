"""The global batch seen from inside `jax.pmap` or `jax.shard_map`; with `axis_name=None`, from outside.

The convention that every loss with an `axis_name` keeps: its value on each device is that of the global
batch, and the gradient of replicated parameters is that of the global batch after `jax.lax.pmean` over the
axis. The same line of user code is therefore right everywhere:

    gradients = jax.lax.pmean(jax.grad(loss)(params, shard), axis_name)

`jax.shard_map` (with `check_vma=True`, its default) sums the gradient of a replicated value by itself, so
that `pmean` changes nothing there. `jax.pmap`, and `shard_map` with `check_vma=False`, leave on each of `n`
devices `n` times the share of its own shard, of which `pmean` makes the sum. A gradient with respect to the
shard itself, such as embeddings, is not averaged: it is exact under `shard_map` and `n` times too large
under `pmap`. Differentiating from outside of the mapped function needs no `pmean` at all.
"""

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, PartitionSpec
from jaxtyping import Array, Bool, Float, Int, Scalar, Shaped

Axes = str | tuple[str, ...] | None
"""The name of an axis, or of several that count as one."""


def gather(x: Shaped[Array, "batch *rest"], axis_name: Axes) -> Shaped[Array, "global_batch *rest"]:
    """The rows of all devices in the order of the global batch; gradients flow back to their owners."""
    return x if axis_name is None else jax.lax.all_gather(x, axis_name, tiled=True)


def global_rows(num: int, axis_name: Axes) -> Int[Array, " num"]:
    """Where this device's `num` rows stand in the result of `gather`."""
    first = 0 if axis_name is None else num * jax.lax.axis_index(axis_name)
    return first + jnp.arange(num)


def mesh_axes(*sizes: int) -> tuple[str, ...] | None:
    """The axes of the mesh that a step is compiled for (`jax.set_mesh`), if it cuts such batches evenly."""
    mesh = jax.sharding.get_abstract_mesh()
    if mesh.empty or set(mesh.axis_types) != {AxisType.Auto} or any(size % mesh.size for size in sizes):
        return None
    return mesh.axis_names


def as_batch(x: Shaped[Array, "batch *rest"]) -> Shaped[Array, "batch *rest"]:
    """The same array, kept where its examples are: XLA may otherwise cut it as the parameters are cut."""
    axes = mesh_axes(len(x))
    return x if axes is None else jax.lax.with_sharding_constraint(x, PartitionSpec(axes))


def as_whole(x: Shaped[Array, "*shape"]) -> Shaped[Array, "*shape"]:
    """The same array, whole on each device where it is used, wherever it is kept.

    For small parameters of large results: XLA may otherwise move the results, to spare moving the parameters.
    """
    return x if mesh_axes() is None else jax.lax.with_sharding_constraint(x, PartitionSpec())


def mean(x: Float[Array, "*shape"], *, axis_name: str | None = None) -> Scalar:
    """The mean over all elements of all devices."""
    return jnp.mean(x) if axis_name is None else jax.lax.pmean(jnp.mean(x), axis_name)


def masked_mean(
    x: Float[Array, "*shape"],
    mask: Bool[Array, "*shape"] | Float[Array, "*shape"] | Int[Array, "*shape"],
    *,
    axis_name: str | None = None,
) -> Scalar:
    """The mean of `x` where `mask` is true or nonzero, over all devices; 0 where the mask is empty.

    What is masked away never counts, even NaN, in the value or in the gradient.
    """
    chosen = mask.astype(bool)
    total, count = jnp.sum(jnp.where(chosen, x, 0.0)), jnp.sum(chosen)
    if axis_name is not None:
        total, count = jax.lax.psum((total, count), axis_name)
    return total / jnp.maximum(count, 1)
