"""SimCLR: two random views of one example agree, and differ from those of all other examples."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import jax
from jaxtyping import Array, Float, Int, PRNGKeyArray, Scalar

from jssl import losses, nn
from jssl.core import Batch, Encoder, Method, Metrics, Transform, Tree, Variables
from jssl.methods import warnings
from jssl.methods.parts import (
    augmented,
    check_two_views,
    embed_with,
    field,
    merge_views,
    split_views,
    spread,
    zeros_of,
)


class SimCLRState(NamedTuple):
    """Batch statistics of the encoder and the projector, by name."""

    stats: Tree


def simclr(
    *,
    encoder: Encoder,
    projector: Encoder,
    augment: Transform,
    temperature: float = 0.5,
    decoupled: bool = False,
    inputs: str = "image",
) -> Method:
    """SimCLR: `z = projector(encoder(view))`, and NT-Xent over the two views of the batch.

    `L = nt_xent(z_a, z_b)`, or `L = dcl(z_a, z_b)` where `decoupled`

    Args:
        encoder: examples to features [batch, dim], which is what `embed` gives.
        projector: features to the embeddings [batch, dim] of the loss, as `nn.mlp((2048, 128))`.
        augment: one example to two views [2, ...], as `pretext.two_views(...)`.
        temperature: of NT-Xent, above 0; 0.5 is the paper's for CIFAR-10, 0.1 for ImageNet.
        decoupled: leave the partner out of NT-Xent's denominator, which helps small batches (DCL); the
            paper's temperature is then 0.07 for CIFAR-10, 0.1 for ImageNet.
        inputs: name of the batch's array.

    Returns:
        A method with the metrics "contrastive/chance" (the loss over that of a uniform guess, log K),
        "contrastive/accuracy" (of one view's embeddings, the share that finds its partner in the whole batch)
        and "collapse/std" (see `methods.parts.spread`).

    Raises:
        ValueError: for a temperature of 0 or below; in `init`, where `augment` doesn't give two views.

    Reference: Chen et al., 2020, arXiv 2002.05709, algorithm 1; Yeh et al., 2021, arXiv 2110.06848 (DCL).
    """
    if temperature <= 0:
        raise ValueError(f"expected a temperature above 0, got {temperature}")
    network = nn.chain(encoder=encoder, projector=projector)
    contrast = losses.dcl if decoupled else losses.nt_xent

    def views_of(key: PRNGKeyArray, batch: Batch) -> Array:
        return augmented(augment, field(batch, inputs), key)

    def init(key: PRNGKeyArray, batch: Batch) -> tuple[Tree, SimCLRState]:
        views = zeros_of(views_of, key, batch)
        check_two_views(views)
        params, stats = network.init(key, merge_views(views))
        return params, SimCLRState(stats)

    def loss(
        params: Tree, state: SimCLRState, batch: Batch, *, key: PRNGKeyArray, step: Int[Array, ""]
    ) -> tuple[Scalar, tuple[SimCLRState, Metrics]]:
        augment_key, network_key = jax.random.split(key)
        views = views_of(augment_key, batch)
        z, stats = network.apply(
            Variables(params, state.stats), merge_views(views), train=True, key=network_key
        )
        z_a, z_b = split_views(z, 2).swapaxes(0, 1)
        value = contrast(z_a, z_b, temperature=temperature)
        num_candidates = len(z) - (2 if decoupled else 1)
        metrics = {
            "contrastive/chance": value / math.log(num_candidates),
            "contrastive/accuracy": losses.contrastive_accuracy(z_a, z_b),
            "collapse/std": spread(z),
        }
        return value, (SimCLRState(stats), metrics)

    def update(params: Tree, state: SimCLRState, step: Int[Array, ""]) -> SimCLRState:
        return state

    def embed(params: Tree, state: SimCLRState, inputs: Array) -> Float[Array, "batch dim"]:
        return embed_with(encoder, params["encoder"], state.stats["encoder"], inputs)

    def show(params: Tree, state: SimCLRState, batch: Batch, *, key: PRNGKeyArray) -> dict[str, Array]:
        return {"views": views_of(key, batch)}

    return Method(init, loss, update, embed, show=show, diagnose=diagnose)


def diagnose(metrics: Mapping[str, float]) -> list[str]:
    """Whether the embeddings have collapsed, and else whether the loss is stuck at chance."""
    return warnings.no_spread(
        metrics, "try a lower learning rate, a longer warm-up, or a lower `temperature`"
    ) or warnings.at_chance(
        metrics, "try a lower `temperature`, a lower learning rate, a longer warm-up, or a weaker `augment`"
    )
