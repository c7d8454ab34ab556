"""Jigsaw: in which of a fixed set of orders were the picture's tiles laid out?"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key, PRNGKeyArray, Scalar

from jssl import losses, nn
from jssl.core import Batch, Encoder, Method, Metrics, Transform, Tree, Variables, example_keys
from jssl.methods import warnings
from jssl.methods.parts import as_input, augmented, embed_with, field, merge_views, spread, zeros_of
from jssl.pretext.jigsaw import jigsaw_permutations, jigsaw_tiles


class JigsawState(NamedTuple):
    """Batch statistics of the encoder and the head, by name."""

    stats: Tree


def jigsaw(
    *,
    encoder: Encoder,
    head: Encoder,
    tile_size: int,
    grid: int = 3,
    num_permutations: int = 100,
    equalize: bool = True,
    augment: Transform | None = None,
    inputs: str = "image",
) -> Method:
    """Jigsaw puzzles: one encoder sees each tile by itself, a head all their features side by side.

    `L = -1/N sum_n log softmax(head([encoder(tile_{p_n(1)}), ..., encoder(tile_{p_n(t)})]))_{p_n}`, p_n one
    of `num_permutations` orders.

    Args:
        encoder: images of the tiles' size, and of whole images', to features [batch, dim], which is what
            `embed` gives: a network with a mean pool.
        head: features of all tiles [batch, tiles * dim] to [batch, any], as `nn.mlp((512, 128))`. A linear
            layer to the permutations is added.
        tile_size: pixels along each side of a tile, less than a cell of the grid, so that there are gaps.
        grid: cells along each side.
        num_permutations: number of orders, which are as different as can be; the more, the harder.
        equalize: give each tile the mean and deviation of the whole image (see `pretext.jigsaw_tiles`).
        augment: one view of one image before it is cut, or None; the paper's is a crop, and gray at times.
        inputs: name of the batch's array.

    Returns:
        A method with the metrics "classification/accuracy", "classification/chance" (the loss over the log of
        the number of permutations; 1 is a guess) and "collapse/std" (see `methods.parts.spread`).

    Raises:
        ValueError: for numbers out of range; in `init`, for tiles larger than cells.

    Reference: Noroozi and Favaro, 2016, arXiv 1603.09246, section 3.
    """
    permutations = jigsaw_permutations(num_permutations, grid**2)
    tiles_of = jigsaw_tiles(grid, tile_size, equalize=equalize)
    classifier = nn.chain(head=head, linear=nn.linear(num_permutations))

    def puzzle(
        key: PRNGKeyArray, batch: Batch
    ) -> tuple[Float[Array, "batch tiles size size channels"], Int[Array, " batch"]]:
        """The tiles in their right order, and the number of the order in which they will be laid out."""
        augment_key, tiles_key, order_key = jax.random.split(key, 3)
        x = field(batch, inputs)
        x = as_input(x) if augment is None else augmented(augment, x, augment_key)
        return augmented(tiles_of, x, tiles_key), _labels(example_keys(order_key, len(x)), num_permutations)

    def laid_out(tiles: Array, labels: Int[Array, " batch"]) -> Array:
        order = jnp.asarray(permutations)[labels]
        return jax.vmap(lambda own, places: own[places])(tiles, order)

    def init(key: PRNGKeyArray, batch: Batch) -> tuple[Tree, JigsawState]:
        encoder_key, head_key = jax.random.split(key)
        tiles, _ = zeros_of(puzzle, key, batch)
        encoding = encoder.init(encoder_key, merge_views(tiles))
        h = nn.output_like(encoder, encoding, merge_views(tiles))
        classifying = classifier.init(head_key, h.reshape(len(tiles), -1))
        params, stats = ({"encoder": a, "head": b} for a, b in zip(encoding, classifying, strict=True))
        return params, JigsawState(stats)

    def loss(
        params: Tree, state: JigsawState, batch: Batch, *, key: PRNGKeyArray, step: Int[Array, ""]
    ) -> tuple[Scalar, tuple[JigsawState, Metrics]]:
        puzzle_key, encoder_key, head_key = jax.random.split(key, 3)
        tiles, labels = puzzle(puzzle_key, batch)
        encoding, classifying = (Variables(params[name], state.stats[name]) for name in ("encoder", "head"))
        h, encoder_stats = encoder.apply(
            encoding, merge_views(laid_out(tiles, labels)), train=True, key=encoder_key
        )
        logits, head_stats = classifier.apply(
            classifying, h.reshape(len(tiles), -1), train=True, key=head_key
        )
        value = losses.classification(logits, labels)
        metrics = {
            "classification/accuracy": losses.classification_accuracy(logits, labels),
            "classification/chance": jax.lax.stop_gradient(value) / math.log(num_permutations),
            "collapse/std": spread(h),
        }
        return value, (JigsawState({"encoder": encoder_stats, "head": head_stats}), metrics)

    def update(params: Tree, state: JigsawState, step: Int[Array, ""]) -> JigsawState:
        return state

    def embed(params: Tree, state: JigsawState, inputs: Array) -> Float[Array, "batch dim"]:
        return embed_with(encoder, params["encoder"], state.stats["encoder"], inputs)

    def show(params: Tree, state: JigsawState, batch: Batch, *, key: PRNGKeyArray) -> dict[str, Array]:
        tiles, labels = puzzle(key, batch)
        columns = [_picture(laid_out(tiles, labels), grid), _picture(tiles, grid)]
        return {"puzzle": jnp.stack(columns, axis=1)}

    return Method(init, loss, update, embed, show=show, diagnose=diagnose)


def diagnose(metrics: Mapping[str, float]) -> list[str]:
    """Whether the orders are guessed."""
    return warnings.guessing(
        metrics, "try fewer `num_permutations`, larger tiles, a smaller `grid` or a higher learning rate"
    )


def _labels(keys: Key[Array, " batch"], num: int) -> Int[Array, " batch"]:
    return jax.vmap(lambda own: jax.random.randint(own, (), 0, num))(keys)


def _picture(
    tiles: Float[Array, "batch tiles size size channels"], grid: int
) -> Float[Array, "batch height width channels"]:
    """The tiles row by row, with a line of one white pixel between them."""
    framed = jnp.pad(tiles, ((0, 0), (0, 0), (0, 1), (0, 1), (0, 0)), constant_values=1.0)
    batch, _, height, width, channels = framed.shape
    rows = framed.reshape(batch, grid, grid, height, width, channels).transpose(0, 1, 3, 2, 4, 5)
    return rows.reshape(batch, grid * height, grid * width, channels)[:, :-1, :-1]
