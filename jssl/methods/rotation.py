"""RotNet: by how many quarters of a circle was the picture turned?"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, Scalar

from jssl import losses, nn
from jssl.core import Batch, Encoder, Method, Metrics, Transform, Tree, Variables
from jssl.methods import warnings
from jssl.methods.parts import as_input, augmented, embed_with, field, merge_views, spread, zeros_of

NUM = 4


class RotationState(NamedTuple):
    """Batch statistics of the encoder and the linear head, by name."""

    stats: Tree


def rotation(*, encoder: Encoder, augment: Transform | None = None, inputs: str = "image") -> Method:
    """RotNet: all four rotations of each picture are in the batch, and a linear head tells them apart.

    `L = -1/4N sum_n sum_k log softmax(head(encoder(turn_k(x_n))))_k`, k = 0, 90, 180 and 270 degrees

    Args:
        encoder: images [batch, side, side, channels] to features [batch, dim], which is what `embed` gives.
        augment: one square view of one image, or None; not one that turns it, or most of it away.
        inputs: name of the batch's array.

    Returns:
        A method with the metrics "classification/accuracy" (1/4 by chance), "classification/chance" (the
        loss over log 4; 1 is a guess) and "collapse/std" (see `methods.parts.spread`).

    Raises:
        ValueError: in `init`, for images that are not square.

    Reference: Gidaris et al., 2018, arXiv 1803.07728, section 2.
    """
    network = nn.chain(encoder=encoder, head=nn.linear(NUM))

    def turned(key: PRNGKeyArray, batch: Batch) -> Float[Array, "batch 4 side side channels"]:
        x = field(batch, inputs)
        x = as_input(x) if augment is None else augmented(augment, x, key)
        _check_square(x)
        return jnp.stack([jnp.rot90(x, k, axes=(1, 2)) for k in range(NUM)], axis=1)

    def init(key: PRNGKeyArray, batch: Batch) -> tuple[Tree, RotationState]:
        params, stats = network.init(key, merge_views(zeros_of(turned, key, batch)))
        return params, RotationState(stats)

    def loss(
        params: Tree, state: RotationState, batch: Batch, *, key: PRNGKeyArray, step: Int[Array, ""]
    ) -> tuple[Scalar, tuple[RotationState, Metrics]]:
        augment_key, encoder_key, head_key = jax.random.split(key, 3)
        views = turned(augment_key, batch)
        h, encoder_stats = encoder.apply(
            Variables(params["encoder"], state.stats["encoder"]),
            merge_views(views),
            train=True,
            key=encoder_key,
        )
        logits, head_stats = nn.linear(NUM).apply(
            Variables(params["head"], state.stats["head"]), h, train=True, key=head_key
        )
        labels = jnp.tile(jnp.arange(NUM), len(views))
        value = losses.classification(logits, labels)
        metrics = {
            "classification/accuracy": losses.classification_accuracy(logits, labels),
            "classification/chance": jax.lax.stop_gradient(value) / math.log(NUM),
            "collapse/std": spread(h),
        }
        return value, (RotationState({"encoder": encoder_stats, "head": head_stats}), metrics)

    def update(params: Tree, state: RotationState, step: Int[Array, ""]) -> RotationState:
        return state

    def embed(params: Tree, state: RotationState, inputs: Array) -> Float[Array, "batch dim"]:
        return embed_with(encoder, params["encoder"], state.stats["encoder"], inputs)

    def show(params: Tree, state: RotationState, batch: Batch, *, key: PRNGKeyArray) -> dict[str, Array]:
        return {"rotations": turned(key, batch)}

    return Method(init, loss, update, embed, show=show, diagnose=diagnose)


def diagnose(metrics: Mapping[str, float]) -> list[str]:
    """Whether the rotations are guessed."""
    return warnings.guessing(
        metrics,
        "try a higher learning rate or a weaker `augment`, and see whether the images have an upright side",
    )


def _check_square(x: Array) -> None:
    if x.ndim != 4 or x.shape[1] != x.shape[2]:
        raise ValueError(
            f"expected square images [batch, side, side, channels], got {x.shape}: pass an `augment` that "
            "crops a square, as pretext.image.random_resized_crop(32)"
        )
