"""Cross-entropy of token predictions: one token in a vocabulary, each prediction with a weight of its own.

The logits of a tied head are computed a tile of rows at a time and never held, so that memory grows with the
tile. Where the gradient is asked for, a tile's share of it is computed at once, while its logits are there:
visiting the tiles again, to compute their logits again, costs a third more.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import PartitionSpec
from jaxtyping import Array, Bool, Float, Int, Scalar

from jssl import ops
from jssl.ops.devices import Axes, mesh_axes

TILE = 2**22
"""Logits in a tile, ..."""

SMALLEST = 512
"""... but so many rows at least, since each tile adds to the gradient of the whole table."""


class TokenLoss(NamedTuple):
    """A mean over tokens, and the share of them whose largest logit is their target's: a metric."""

    loss: Scalar
    accuracy: Scalar


def token_cross_entropy(
    logits: Float[Array, "*batch vocab"],
    targets: Int[Array, "*batch"],
    weights: Float[Array, "*batch"] | None = None,
    *,
    label_smoothing: float = 0.0,
    axis_name: str | None = None,
) -> Scalar:
    """The weighted mean cross-entropy of logits that are at hand.

    `L = sum_n w_n ( -log softmax(logits_n)_{y_n} ) / sum_n w_n`

    Args:
        logits: unnormalised, `[*batch, vocab]`.
        targets: y, numbers in [0, vocab); any number where the weight is 0.
        weights: w, 0 or above; None: 1. What has weight 0 never counts, even NaN.
        label_smoothing: in [0, 1): share of the target's probability that goes evenly to all tokens.
        axis_name: axis of `jax.pmap` or `jax.shard_map` over which the batch is split; both sums are then
            over all devices.

    Returns:
        A float32 scalar; 0 if all weights are 0.

    Raises:
        ValueError: if the shapes don't fit, or the smoothing is outside of [0, 1).

    Reference: Szegedy et al. 2015, arXiv:1512.00567, section 7 (label smoothing).
    """
    if logits.shape[:-1] != targets.shape or (weights is not None and weights.shape != targets.shape):
        raise ValueError(
            "expected logits [*batch, vocab], targets [*batch] and weights [*batch], "
            f"got {logits.shape}, {targets.shape} and {None if weights is None else weights.shape}"
        )
    if not 0 <= label_smoothing < 1:
        raise ValueError(f"expected a label smoothing in [0, 1), got {label_smoothing}")
    logits = ops.at_least_float32(logits)
    weights = _in_full(weights, targets.shape, logits)
    logits, targets = (jnp.where(_where(weights, x), x, 0) for x in (logits, targets))
    errors = ops.cross_entropy(logits, targets)
    if label_smoothing:
        evenly = jax.nn.logsumexp(logits, axis=-1) - jnp.mean(logits, axis=-1)
        errors = (1 - label_smoothing) * errors + label_smoothing * evenly
    return _divide(*_over_devices((jnp.sum(weights * errors), jnp.sum(weights)), axis_name))


def tied_cross_entropy(
    h: Float[Array, "rows dim"],
    table: Float[Array, "vocab dim"],
    targets: Int[Array, " rows"],
    weights: Float[Array, " rows"] | None = None,
    *,
    bias: Float[Array, " vocab"] | None = None,
    tile: int | None = None,
    axis_name: str | None = None,
) -> TokenLoss:
    """`token_cross_entropy` of the logits `h table' + bias`, which are never held whole.

    The products are computed in the dtype of `h`, their sums and the loss in float32. Reverse mode only.

    Args:
        h: hidden states, of any float dtype.
        table: embeddings of the tokens, of any float dtype; their gradient keeps it.
        targets: numbers in [0, vocab); any number where the weight is 0.
        weights: 0 or above; None: 1. A row with weight 0 never counts, even NaN.
        bias: added to the logits.
        tile: rows whose logits are held at a time, by each device; None: of `TILE` logits.
        axis_name: axis of `jax.pmap` or `jax.shard_map` over which the rows are split; gradients follow the
            convention of `jssl.ops.devices`. In a jitted function under `jax.set_mesh`, rows that divide
            evenly over all of its axes stay on their devices, and the table's gradient is summed once;
            without one, XLA sums it over the devices after each tile.

    Returns:
        TokenLoss of two float32 scalars, 0 if all weights are 0; no gradient flows from the accuracy, and the
        first of equal logits counts as the largest.

    Raises:
        ValueError: if the shapes don't fit, there are no rows, or the tile is not above 0.

    Reference: Wijmans et al. 2024, arXiv:2411.09009, and Hsu et al. 2024, arXiv:2410.10989, section 3.2, for
    the two ways to leave out the logits; this is the second one.
    """
    _check_tied(h, table, targets, weights, bias, tile)
    weights = _in_full(weights, targets.shape, h)
    sums = partial(_sums, tile=tile or max(SMALLEST, TILE // len(table)))
    axes = mesh_axes(len(h)) if axis_name is None else None
    with jax.named_scope("tied_cross_entropy"):
        if axes is None:
            total, correct, weight = sums(h, table, bias, targets, weights, axes=axis_name)
        else:
            split, whole = PartitionSpec(axes), PartitionSpec()
            on_shares = jax.shard_map(
                partial(sums, axes=axes), in_specs=(split, whole, whole, split, split), out_specs=whole
            )
            total, correct, weight = on_shares(h, table, bias, targets, weights)
    return TokenLoss(_divide(total, weight), lax.stop_gradient(_divide(correct, weight)))


def _sums(
    h: Array, table: Array, bias: Array | None, targets: Array, weights: Array, *, tile: int, axes: Axes
) -> tuple[Scalar, Scalar, Scalar]:
    """Over all devices: the weighted errors, the weights that are right, the weights."""
    h, targets = (jnp.where(_where(weights, x), x, jnp.zeros_like(x)) for x in (h, targets))
    num = -(-len(h) // tile)
    # As even as they can be: what is added to fill the last one has weight 0.
    rows = [jnp.pad(x, [(0, -len(x) % num), *[(0, 0)] * (x.ndim - 1)]) for x in (h, targets, weights)]
    h, targets, weights = rows
    table, bias, targets, weights = _spread((table, bias, targets, weights), h)
    total, correct = _visit(h, table, bias, targets, weights, num)
    return _over_devices((total, correct, jnp.sum(weights)), axes)


@partial(jax.custom_vjp, nondiff_argnums=(5,))
def _visit(h: Array, table: Array, bias: Array | None, targets: Array, weights: Array, num: int) -> Any:
    """The weighted errors and the weights that are right, of rows in `num` tiles."""
    low = table.astype(h.dtype)

    def visit(_: None, tile: tuple[Array, Array]) -> tuple[None, tuple[Array, Array]]:
        return None, _errors(_logits(low, tile[0], bias), tile[1])[:2]

    _, results = _over_tiles(visit, None, (h, targets), num)
    return tuple(jnp.sum(weights * x) for x in results)


def _visit_forward(
    h: Array, table: Array, bias: Array | None, targets: Array, weights: Array, num: int
) -> tuple[Any, Any]:
    low = table.astype(h.dtype)

    def visit(sums: Any, tile: tuple[Array, Array, Array]) -> tuple[Any, tuple[Array, Array, Array]]:
        h, targets, weights = tile
        logits = _logits(low, h, bias)
        errors, correct, normalizer = _errors(logits, targets)
        is_target = lax.broadcasted_iota(targets.dtype, logits.shape, 0) == targets[None]
        slope = weights[None] * (jnp.exp(logits - normalizer[None]) - is_target)
        own = _multiply(slope.astype(h.dtype), h, 1, 0), None if bias is None else jnp.sum(slope, axis=1)
        d_h = _multiply(slope.astype(h.dtype), low, 0, 0).astype(h.dtype)
        return jax.tree.map(jnp.add, sums, own), (errors, correct, d_h)

    start = jax.tree.map(partial(jnp.zeros_like, dtype=weights.dtype), (table, bias))
    (d_table, d_bias), (errors, correct, d_h) = _over_tiles(visit, start, (h, targets, weights), num)
    d_table, d_bias = jax.tree.map(lambda d, x: d.astype(x.dtype), (d_table, d_bias), (table, bias))
    slopes = d_h, d_table, d_bias, errors
    return (jnp.sum(weights * errors), jnp.sum(weights * correct)), slopes


def _visit_backward(num: int, slopes: Any, g: tuple[Scalar, Scalar]) -> tuple[Any, ...]:
    d_h, d_table, d_bias, errors = jax.tree.map(lambda x: (g[0] * x).astype(x.dtype), slopes)
    return d_h, d_table, d_bias, None, errors


_visit.defvjp(_visit_forward, _visit_backward)


def _over_tiles(visit: Any, sums: Any, rows: Any, num: int) -> tuple[Any, Any]:
    """`visit` every tile of rows: the sums that go from tile to tile, and the results in the rows' order."""
    if num == 1:
        return visit(sums, rows)
    # Every num-th row, so that each tile has a share on each device.
    tiles = jax.tree.map(lambda x: x.reshape(-1, num, *x.shape[1:]).swapaxes(0, 1), rows)
    sums, results = lax.scan(visit, sums, tiles)
    return sums, jax.tree.map(lambda x: x.swapaxes(0, 1).reshape(-1, *x.shape[2:]), results)


def _logits(table: Array, h: Array, bias: Array | None) -> Float[Array, "vocab rows"]:
    """With the vocabulary first: none of the three products of a tile then needs a large array transposed."""
    logits = _multiply(table, h, 1, 1)
    return logits if bias is None else logits + bias[:, None].astype(logits.dtype)


def _errors(
    logits: Float[Array, "vocab rows"], targets: Int[Array, " rows"]
) -> tuple[Float[Array, " rows"], Bool[Array, " rows"], Float[Array, " rows"]]:
    """The cross-entropy of each row, whether its target is its largest logit, and log sum exp."""
    normalizer = jax.nn.logsumexp(logits, axis=0)
    own = jnp.take_along_axis(logits, targets[None], axis=0)
    # XLA's argmax takes several times as long on a CPU.
    not_before = lax.broadcasted_iota(targets.dtype, logits.shape, 0) >= targets[None]
    largest = jnp.all((logits < own) | ((logits == own) & not_before), axis=0)
    return normalizer - own[0], largest, normalizer


def _multiply(x: Array, y: Array, axis_x: int, axis_y: int) -> Float[Array, "m n"]:
    """The product over one axis of each, summed in float32 at least."""
    wide = jnp.promote_types(x.dtype, jnp.float32)
    dimensions = (((axis_x,), (axis_y,)), ((), ()))
    return lax.dot_general(x, y, dimensions, lax.Precision.HIGHEST, preferred_element_type=wide)


def _in_full(weights: Array | None, shape: tuple[int, ...], like: Array) -> Array:
    wide = jnp.promote_types(like.dtype, jnp.float32)
    return jnp.ones(shape, wide) if weights is None else weights.astype(wide)


def _where(weights: Array, x: Array) -> Bool[Array, "..."]:
    """Where the weight is not 0, with the axes of `x`."""
    return jnp.expand_dims(weights != 0, tuple(range(weights.ndim, x.ndim)))


def _spread(arrays: Any, like: Array) -> Any:
    """The same arrays, which `shard_map` takes for different ones on each device if it does so with `like`.

    Their gradients are then summed over the devices once, outside of the custom rule.
    """
    zero = jnp.zeros_like(like.ravel()[0])
    return jax.tree.map(lambda x: x + zero.astype(x.dtype), arrays)


def _over_devices(sums: Any, axes: Axes) -> Any:
    return sums if axes is None else lax.psum(sums, axes)


def _divide(total: Scalar, weight: Scalar) -> Scalar:
    """The mean; 0 where nothing has a weight."""
    return total / jnp.where(weight == 0, 1, weight)


def _check_tied(
    h: Array, table: Array, targets: Array, weights: Array | None, bias: Array | None, tile: int | None
) -> None:
    rows, vocab = h.shape[:1], table.shape[:1]
    fit = h.ndim == table.ndim == 2 and h.shape[1] == table.shape[1] and targets.shape == rows
    fit = fit and (weights is None or weights.shape == rows) and (bias is None or bias.shape == vocab)
    if not fit or 0 in rows:
        raise ValueError(
            "expected h [rows, dim], table [vocab, dim], targets [rows], weights [rows] and bias [vocab], "
            "got "
            + ", ".join(str(None if x is None else x.shape) for x in (h, table, targets, weights, bias))
        )
    if tile is not None and tile < 1:
        raise ValueError(f"expected a tile of 1 row or more, got {tile}")
