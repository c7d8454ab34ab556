"""Where a token lies, as a vector: fixed sines and cosines, or a learned grid that is interpolated."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jssl import ops


def sincos(positions: Float[Array, "*batch n k"], dim: int) -> Float[Array, "*batch n {dim}"]:
    """Fixed embedding of positions with any number `k` of coordinates.

    Each coordinate fills `dim // k` entries with sines and cosines of `position / 10000**(i / half)` for
    i = 0 .. half - 1, sines first; what is left over, when `dim` is no multiple of `2 k`, stays 0.

    Reference: Vaswani et al., 2017, arXiv 1706.03762, section 3.5; for two coordinates: He et al., 2021,
    arXiv 2111.06377, appendix A.1.
    """
    *batch, _, k = positions.shape
    half = dim // (2 * k)
    frequency = 10_000.0 ** (-jnp.arange(half, dtype=jnp.float32) / half)
    angle = positions[..., None] * frequency.reshape((1,) * positions.ndim + (half,))
    embedding = jnp.concatenate([jnp.sin(angle), jnp.cos(angle)], axis=-1).reshape(*batch, -1, 2 * half * k)
    return jnp.pad(embedding, [(0, 0)] * (len(batch) + 1) + [(0, dim - 2 * half * k)])


class Grid(NamedTuple):
    """Learned positions: one vector for each cell of a grid over the whole example, interpolated bicubically.

    Tokens give their positions as shares of the example, as `nn.patches(16, relative=True)` does, so that an
    example of another size, and any part of its tokens, finds its vectors between those of the grid.

    sizes: cells along each coordinate, as (14, 14) for images of 224 pixels in patches of 16.
    cls: the class token has a learned position, too; False as in timm's `no_embed_class`.
    antialias: for fewer tokens than cells, widen the kernel (timm, DINOv2 with registers); False for DINOv2
        without registers.
    offset: 0.1 for DINOv2 without registers, whose authors' code scales by `(tokens + 0.1) / cells` unless
        there are as many tokens as cells.
    """

    sizes: tuple[int, ...]
    cls: bool = True
    antialias: bool = True
    offset: float = 0.0

    def check(self) -> None:
        """ValueError for a grid without cells."""
        if not self.sizes or min(self.sizes) < 1 or self.offset < 0:
            raise ValueError(
                f"expected sizes of 1 or more and offset of 0 or more, got {self.sizes} and {self.offset}"
            )


def grid_positions(
    table: Float[Array, "*cells dim"], positions: Float[Array, "*batch n twice_k"], grid: Grid
) -> Float[Array, "*batch n dim"]:
    """The table's vectors at the tokens' places, interpolated along each coordinate.

    Args:
        table: a vector for each cell of the grid, [*grid.sizes, dim].
        positions: k coordinates of a token's centre, then its k sizes, as shares of the example.
        grid: how to interpolate.

    Raises:
        ValueError: where the positions have not twice as many columns as the grid has axes.

    Reference: Keys, 1981, Cubic convolution interpolation for digital image processing, equation 15.
    """
    k = len(grid.sizes)
    if positions.shape[-1] != 2 * k:
        raise ValueError(
            f"expected positions of {2 * k} columns, centre and size along {k} axes, for learned ones, "
            f"got {positions.shape[-1]}: use nn.patches(size, relative=True)"
        )
    row = jnp.asarray(grid.sizes, jnp.float32).reshape((1,) * (positions.ndim - 1) + (k,))
    centres, spans = positions[..., :k], positions[..., k:] * row
    own_size = jnp.all(jnp.abs(spans - 1) < 1e-3, axis=-1, keepdims=True)
    shrink = 1 / (1 + jnp.where(own_size, 0.0, grid.offset) * positions[..., k:])
    weights = jnp.ones((*positions.shape[:-1], 1))
    for axis, cells in enumerate(grid.sizes):
        place = centres[..., axis] * shrink[..., axis] * cells - 0.5
        own = _weights(place, spans[..., axis], cells, grid.antialias)
        weights = (weights[..., :, None] * own[..., None, :]).reshape(*positions.shape[:-1], -1)
    # Accelerators would round float32 here.
    return jnp.matmul(weights, table.reshape(math.prod(grid.sizes), -1), precision=jax.lax.Precision.HIGHEST)


def _weights(
    place: Float[Array, "*batch n"], span: Float[Array, "*batch n"], cells: int, antialias: bool
) -> Float[Array, "*batch n {cells}"]:
    """How much each cell of one axis counts for tokens that lie at `place` and span so many cells."""
    index = jnp.arange(-2, cells + 2, dtype=jnp.float32).reshape((1,) * place.ndim + (-1,))
    if not antialias:
        taps = ops.cubic_kernel(place[..., None] - index, -0.75)
        inner = taps[..., 2:-2]
        # What falls beyond the border counts for the cell at the border.
        inner = inner.at[..., 0].add(taps[..., :2].sum(-1))
        return inner.at[..., -1].add(taps[..., -2:].sum(-1))
    taps = ops.cubic_kernel((place[..., None] - index[..., 2:-2]) / jnp.maximum(span, 1.0)[..., None], -0.5)
    return taps / taps.sum(-1, keepdims=True)
