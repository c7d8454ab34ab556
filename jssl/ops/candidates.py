"""Each row against all candidates in tiles: the matrix of their products is never held.

Candidates are visited a tile at a time, so that memory grows with the rows and with the candidates, never
with their product. The gradient computes the tiles again instead of keeping them.

Over an axis of devices each has the candidates of all, unless its share is `SHARE` or larger: then the shares
go round in a ring, each on its way to the next device while it is worked on, and memory grows with the share
of one device only. The same is done in a jitted function where `jax.set_mesh` is in force and the rows divide
evenly over all of its axes.

Reference for the running sum: Milakov and Gimelshein, 2018, arXiv 1805.02867, algorithm 3.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec
from jaxtyping import Array, Float, Int

from jssl.ops.devices import Axes, gather, global_rows, mesh_axes

Carry = TypeVar("Carry")

TILE = 2**21
"""Products in a tile, ..."""

SMALLEST = 128
"""... of which so many at least belong to each row."""

SHARE = 1024
"""Candidates of a device, with which the work on them takes longer than their way to the next one."""


def log_sum_exp(
    x: Float[Array, "rows dim"], y: Float[Array, "columns dim"], *, axis_name: str | None = None
) -> Float[Array, " rows"]:
    """`log sum_j exp(x_i . y_j)` of each row, over the rows of `y` on all devices.

    Args:
        x: float32 or float64.
        y: of the same dtype.
        axis_name: axis of `jax.pmap` or `jax.shard_map` over which the rows of both are split; gradients
            follow the convention of `jssl.ops.devices`.
    """
    return _on_shares(_asymmetric, x, y, axis_name)


def log_sum_exp_of_others(
    x: Float[Array, "rows dim"], labels: Int[Array, " rows"], *, axis_name: str | None = None
) -> Float[Array, " rows"]:
    """`log sum_j exp(x_i . x_j)` of each row, over the rows on all devices that have another label.

    The products are symmetric, which saves half of the gradient's work.

    Args:
        x: float32 or float64.
        labels: the row itself, at least, should not be among its candidates.
        axis_name: as for `log_sum_exp`.

    Returns:
        Float array; -inf, and no useful gradient, for a row with no candidate.
    """
    return _on_shares(_symmetric, x, labels, axis_name)


def nearest(
    x: Float[Array, "rows dim"], y: Float[Array, "columns dim"], *, axis_name: str | None = None
) -> Int[Array, " rows"]:
    """Which row of `y`, counted over all devices, has the largest product with each row of `x`.

    No gradient flows. Args: as for `log_sum_exp`.
    """
    return _on_shares(_nearest, *jax.lax.stop_gradient((x, y)), axis_name)


def _on_shares(
    function: Callable[[Array, Array, Axes], Array], x: Array, y: Array, axis_name: str | None
) -> Array:
    """`function(x, y, axis_name)`; of whole arrays, on the shares of the devices if there is a mesh."""
    axes = mesh_axes(len(x), len(y))
    with jax.named_scope("candidates"):
        if axis_name is not None or axes is None:
            return function(x, y, axis_name)
        split = PartitionSpec(axes)
        return jax.shard_map(lambda x, y: function(x, y, axes), in_specs=(split, split), out_specs=split)(
            x, y
        )


def _nearest(x: Array, y: Array, axis_name: Axes) -> Int[Array, " rows"]:
    def visit(best: tuple[Array, Array], tile: tuple[Array, Array]) -> tuple[Array, Array]:
        columns, index = tile
        products = _products(x, columns)
        own = index[jnp.argmax(products, axis=1)]
        larger, value = products.max(axis=1) > best[0], products.max(axis=1)
        return jnp.where(larger, value, best[0]), jnp.where(larger, own, best[1])

    start = _filled(x, -jnp.inf), _filled(x, 0.0).astype(jnp.int32)
    return _visit_all(visit, start, (y, global_rows(len(y), axis_name)), len(x), axis_name)[1]


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _asymmetric(x: Array, y: Array, axis_name: Axes) -> Array:
    return _sum_exp(x, (y,), lambda columns: _products(x, columns), axis_name)


def _asymmetric_forward(x: Array, y: Array, axis_name: Axes) -> tuple[Array, Any]:
    total = _asymmetric(x, y, axis_name)
    return total, (x, y, total)


def _asymmetric_backward(axis_name: Axes, saved: Any, g: Array) -> tuple[Array, Array]:
    x, y, total = saved

    def visit_columns(sums: Array, tile: tuple[Array]) -> Array:
        (columns,) = tile
        return sums + _weighted(jnp.exp(_products(x, columns) - total[:, None]), columns)

    def visit_rows(sums: Array, tile: tuple[Array, Array, Array]) -> Array:
        rows, totals, gs = tile
        return sums + _weighted(jnp.exp(_products(y, rows) - totals[None, :]) * gs[None, :], rows)

    dx = g[:, None] * _visit_all(visit_columns, _zeros(x), (y,), len(x), axis_name)
    return dx, _visit_all(visit_rows, _zeros(y), (x, total, g), len(y), axis_name)


_asymmetric.defvjp(_asymmetric_forward, _asymmetric_backward)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _symmetric(x: Array, labels: Array, axis_name: Axes) -> Array:
    return _sum_exp(x, (x, labels), lambda *tile: _others(x, labels, *tile), axis_name)


def _symmetric_forward(x: Array, labels: Array, axis_name: Axes) -> tuple[Array, Any]:
    total = _symmetric(x, labels, axis_name)
    return total, (x, labels, total)


def _symmetric_backward(axis_name: Axes, saved: Any, g: Array) -> tuple[Array, None]:
    x, labels, total = saved

    def visit(sums: Array, tile: tuple[Array, Array, Array, Array]) -> Array:
        columns, column_labels, totals, gs = tile
        products = _others(x, labels, columns, column_labels)
        as_row = jnp.exp(products - total[:, None]) * g[:, None]
        as_column = jnp.exp(products - totals[None, :]) * gs[None, :]
        return sums + _weighted(as_row + as_column, columns)

    return _visit_all(visit, _zeros(x), (x, labels, total, g), len(x), axis_name), None


_symmetric.defvjp(_symmetric_forward, _symmetric_backward)


def _sum_exp(x: Array, columns: Any, products_with: Callable[..., Array], axis_name: Axes) -> Array:
    """The running sum, relative to the running maximum."""

    def visit(carry: tuple[Array, Array], tile: Any) -> tuple[Array, Array]:
        top, total = carry
        products = products_with(*tile)
        new_top = jnp.maximum(top, products.max(axis=1))
        return new_top, total * jnp.exp(top - new_top) + jnp.exp(products - new_top[:, None]).sum(axis=1)

    # Finite, so that the difference of two maxima is never inf - inf.
    start = _filled(x, float(jnp.finfo(x.dtype).min)), _filled(x, 0.0)
    top, total = _visit_all(visit, start, columns, len(x), axis_name)
    return top + jnp.log(total)


def _visit_all(
    visit: Callable[[Carry, Any], Carry], carry: Carry, columns: Any, num_rows: int, axis_name: Axes
) -> Carry:
    """`visit` the columns of all devices, tile by tile."""

    def visit_block(carry: Carry, block: Any) -> Carry:
        num = jax.tree.leaves(block)[0].shape[0]
        size = min(num, max(SMALLEST, TILE // num_rows))
        whole = num // size * size
        if whole > size:
            tiles = jax.tree.map(lambda x: x[:whole].reshape(-1, size, *x.shape[1:]), block)
            carry, _ = jax.lax.scan(lambda carry, tile: (visit(carry, tile), None), carry, tiles)
        else:
            carry = visit(carry, jax.tree.map(lambda x: x[:whole], block))
        return carry if whole == num else visit(carry, jax.tree.map(lambda x: x[whole:], block))

    if axis_name is None or jax.tree.leaves(columns)[0].shape[0] < SHARE:
        return visit_block(carry, jax.tree.map(lambda x: gather(x, axis_name), columns))
    num_devices = jax.lax.axis_size(axis_name)
    ring = [(device, (device + 1) % num_devices) for device in range(num_devices)]

    def hop(state: tuple[Carry, Any], _: None) -> tuple[tuple[Carry, Any], None]:
        carry, block = state
        following = jax.tree.map(lambda x: jax.lax.ppermute(x, axis_name, ring), block)
        return (visit_block(carry, block), following), None

    (carry, block), _ = jax.lax.scan(hop, (carry, columns), length=num_devices - 1)
    return visit_block(carry, block)


def _products(x: Array, y: Array) -> Float[Array, "rows columns"]:
    # Accelerators multiply float32 matrices in less by default.
    return jnp.matmul(x, y.T, precision=jax.lax.Precision.HIGHEST)


def _others(x: Array, labels: Array, y: Array, y_labels: Array) -> Float[Array, "rows columns"]:
    return jnp.where(labels[:, None] == y_labels[None, :], -jnp.inf, _products(x, y))


def _weighted(weights: Array, y: Array) -> Array:
    return jnp.matmul(weights, y, precision=jax.lax.Precision.HIGHEST)


def _filled(x: Array, value: float) -> Float[Array, " rows"]:
    """One value for each row, on the devices that the rows are on."""
    return jnp.full_like(x[:, 0], value) + 0 * x[:, 0]


def _zeros(x: Array) -> Array:
    return 0 * x
