"""Colorization: which colours does a gray picture have?"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray, Scalar

from jssl import losses, nn, ops
from jssl.core import Batch, Encoder, Method, Metrics, Transform, Tree, Variables
from jssl.methods import warnings
from jssl.methods.parts import as_input, augmented, field, zeros_of
from jssl.pretext.image import color_classes, lab_to_rgb, lightness, rgb_to_lab, soft_color_classes


class ColorizationState(NamedTuple):
    """Batch statistics by name, and the running frequency of each class of colours."""

    stats: Tree
    frequency: Float[Array, " classes"]


def colorization(
    *,
    encoder: Encoder,
    decoder: Encoder,
    spacing: float = 10.0,
    rebalance: float = 0.5,
    decay: float = 0.99,
    temperature: float = 0.38,
    augment: Transform | None = None,
    inputs: str = "image",
) -> Method:
    """Colorful colorization: from a pixel's lightness and surroundings, the class of its colour.

    `L = -1/N sum_n w(argmax z_n) sum_q z_nq log softmax(decoder(encoder(lightness(x))))_nq` over pixels n,
    with z_n the soft class of a pixel's (a, b) and `w ~ 1 / ((1 - r) frequency + r / Q)`, of mean 1.

    Classes, because the mean of an object's possible colours, which a regression finds, is a gray;
    rebalanced, because most pixels are nearly gray.

    Args:
        encoder: images [batch, height, width, 3] to features [batch, dim], which is what `embed` gives, or to
            maps of them [batch, h, w, dim], of which it gives the mean.
        decoder: features to maps [batch, h, w, any] of a size that divides the image's, as
            `nn.conv_decoder((8, 8, 64))`; colours are predicted at that size. A linear layer to the classes
            is added.
        spacing: of the grid of classes, in units of a and b; 10 gives some 260 of them.
        rebalance: r in (0, 1]; 1 weighs all classes alike.
        decay: of the running frequencies of the classes, in [0, 1); the first steps count alike.
        temperature: of the softmax whose mean colour is drawn in `show`; 1 is the mean, 0 the mode.
        augment: one view of one image, or None; not one that changes colours.
        inputs: name of the batch's array.

    Returns:
        A method whose `embed` takes ordinary images and reads their lightness, with the metrics
        "classification/accuracy" (of the most likely class), "classification/chance" (the loss over log Q, 1
        is a guess) and "colors/used" (exponential of the entropy of the mean prediction).

    Raises:
        ValueError: for numbers out of range; in `init`, for images without colours, or a decoder whose maps
            don't fit them.

    Deviations: the frequencies are a running mean of what was seen, where the paper counts them over ImageNet
    beforehand, and smooths them; the decoder is behind the features, not beside them.

    Reference: Zhang et al., 2016, arXiv 1603.08511, sections 2.1 to 2.3.
    """
    if not (0 < rebalance <= 1 and 0 <= decay < 1 and temperature > 0):
        raise ValueError(
            "expected rebalance in (0, 1], decay in [0, 1) and temperature above 0, got "
            f"{rebalance}, {decay} and {temperature}"
        )
    centers = color_classes(spacing)
    num = len(centers)
    network = nn.chain(encoder=encoder, decoder=decoder, head=nn.linear(num))

    def examples_of(key: PRNGKeyArray, batch: Batch) -> Float[Array, "batch height width channels"]:
        x = field(batch, inputs)
        return as_input(x) if augment is None else augmented(augment, x, key)

    def init(key: PRNGKeyArray, batch: Batch) -> tuple[Tree, ColorizationState]:
        x = zeros_of(examples_of, key, batch)
        if x.ndim != 4 or x.shape[-1] != 3:
            raise ValueError(f"expected images [batch, height, width, 3] in colour, got {x.shape}")
        variables = network.init(key, x)
        _check_maps(nn.output_like(network, variables, x), x)
        return variables.params, ColorizationState(variables.stats, jnp.full(num, 1 / num, jnp.float32))

    def loss(
        params: Tree, state: ColorizationState, batch: Batch, *, key: PRNGKeyArray, step: Int[Array, ""]
    ) -> tuple[Scalar, tuple[ColorizationState, Metrics]]:
        augment_key, network_key = jax.random.split(key)
        x = examples_of(augment_key, batch)
        logits, stats = network.apply(
            Variables(params, state.stats), lightness(x), train=True, key=network_key
        )
        z = soft_color_classes(_small(rgb_to_lab(x)[..., 1:], logits.shape[1:3]), centers)
        labels = jnp.argmax(z, axis=-1)
        value = losses.classification(logits, z, _weights(state.frequency, rebalance)[labels])
        p = jax.nn.softmax(ops.at_least_float32(jax.lax.stop_gradient(logits)), axis=-1)
        mean = jnp.mean(p, axis=(0, 1, 2))
        metrics = {
            "classification/accuracy": losses.classification_accuracy(logits, labels),
            "classification/chance": jax.lax.stop_gradient(value) / math.log(num),
            "colors/used": jnp.exp(-jnp.sum(jax.scipy.special.xlogy(mean, mean))),
        }
        # The plain mean of the first steps: else the uniform start would make all colours seem rare.
        slow = jnp.minimum(decay, step / (step + 1))
        frequency = ops.ema(state.frequency, jnp.mean(z, axis=(0, 1, 2)), decay=slow)
        return value, (ColorizationState(stats, frequency), metrics)

    def update(params: Tree, state: ColorizationState, step: Int[Array, ""]) -> ColorizationState:
        return state

    def embed(params: Tree, state: ColorizationState, inputs: Array) -> Float[Array, "batch dim"]:
        gray = lightness(as_input(inputs))
        variables = Variables(params["encoder"], state.stats["encoder"])
        features, _ = encoder.apply(variables, gray, train=False)
        return jnp.mean(features, axis=tuple(range(1, features.ndim - 1)), dtype=jnp.float32)

    def show(params: Tree, state: ColorizationState, batch: Batch, *, key: PRNGKeyArray) -> dict[str, Array]:
        x = examples_of(key, batch)
        gray = lightness(x)
        logits, _ = network.apply(Variables(params, state.stats), gray, train=False)
        ab = jax.nn.softmax(ops.at_least_float32(logits) / temperature, axis=-1) @ jnp.asarray(centers)
        ab = jax.image.resize(ab, (*x.shape[:3], 2), "bilinear")
        colored = lab_to_rgb(jnp.concatenate([rgb_to_lab(gray)[..., :1], ab], axis=-1))
        return {"colors": jnp.stack([gray, colored, x], axis=1)}

    return Method(init, loss, update, embed, show=show, diagnose=diagnose)


def diagnose(metrics: Mapping[str, float]) -> list[str]:
    """Whether the colours are guessed."""
    return warnings.guessing(metrics, "try a higher learning rate, a larger `spacing`, or less `rebalance`")


def _weights(frequency: Float[Array, " classes"], rebalance: float) -> Float[Array, " classes"]:
    """Of each class, of mean 1 over what is seen."""
    weight = 1 / ((1 - rebalance) * frequency + rebalance / frequency.size)
    return jax.lax.stop_gradient(weight / jnp.sum(frequency * weight))


def _small(ab: Float[Array, "batch height width 2"], size: tuple[int, int]) -> Float[Array, "batch h w 2"]:
    """The mean colour of each cell."""
    batch, height, width, _ = ab.shape
    rows, columns = size
    return jnp.mean(ab.reshape(batch, rows, height // rows, columns, width // columns, 2), axis=(2, 4))


def _check_maps(logits: Array, x: Array) -> None:
    if logits.ndim != 4 or np.any(np.asarray(x.shape[1:3]) % np.asarray(logits.shape[1:3])):
        raise ValueError(
            "expected a decoder to maps [batch, h, w, any] of a size that divides the image's, got "
            f"{logits.shape[:-1]} for images {x.shape}: use nn.conv_decoder"
        )
