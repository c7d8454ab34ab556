"""Autoencoders: an example is restored from its features, or from those of a corrupted copy."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, Scalar

from jssl import losses, nn
from jssl.core import Batch, Encoder, Method, Metrics, Transform, Tree, Variables
from jssl.methods import masked, warnings
from jssl.methods.parts import as_input, augmented, embed_with, field, zeros_of


class AutoencoderState(NamedTuple):
    """Batch statistics of the encoder and the decoder, by name."""

    stats: Tree


def autoencoder(
    *,
    encoder: Encoder,
    decoder: Encoder,
    corrupt: Transform | None = None,
    augment: Transform | None = None,
    inputs: str = "image",
) -> Method:
    """`x' = decoder(encoder(corrupt(x)))` is to be x: `L = mean (x' - x)^2`.

    Without `corrupt`, the features' dimension alone keeps the network from copying.

    Args:
        encoder: examples to features [batch, dim], which is what `embed` gives.
        decoder: features to the example, [batch, *shape], as `nn.conv_decoder((32, 32, 3))`, or flat, as
            `nn.mlp((512, 32 * 32 * 3))`.
        corrupt: changes an example and keeps its shape; None: a plain autoencoder. Noise is
            `pretext.image.gaussian_noise(std=0.2)`, masking `pretext.image.masking_noise()`, and blocks to
            fill in `pretext.image.erase_blocks()`.
        augment: one view of one example, before it is corrupted, or None.
        inputs: name of the batch's array.

    Returns:
        A method with the metric "reconstruction/explained" (the share of the values' variance that is
        restored: 0 is as good as the mean over values and examples).

    Raises:
        ValueError: in `init`, where the decoder doesn't give as many values as an example has.

    Deviation: all values count in the loss, where the in-painting paper counts those of the blocks alone.

    Reference: Vincent et al., 2008, "Extracting and composing robust features with denoising autoencoders",
    ICML; in-painting: Pathak et al., 2016, arXiv 1604.07379.
    """
    network = nn.chain(encoder=encoder, decoder=decoder)

    def examples_of(key: PRNGKeyArray, batch: Batch) -> Array:
        x = field(batch, inputs)
        return as_input(x) if augment is None else augmented(augment, x, key)

    def corrupted(key: PRNGKeyArray, x: Array) -> Array:
        return x if corrupt is None else augmented(corrupt, x, key)

    def init(key: PRNGKeyArray, batch: Batch) -> tuple[Tree, AutoencoderState]:
        x = zeros_of(examples_of, key, batch)
        variables = network.init(key, zeros_of(corrupted, key, x))
        restored = nn.output_like(network, variables, x)
        if restored.size != x.size:
            raise ValueError(
                f"expected a decoder to examples {x.shape[1:]}, got {restored.shape[1:]}: use "
                f"nn.conv_decoder({x.shape[1:]})"
            )
        return variables.params, AutoencoderState(variables.stats)

    def loss(
        params: Tree, state: AutoencoderState, batch: Batch, *, key: PRNGKeyArray, step: Int[Array, ""]
    ) -> tuple[Scalar, tuple[AutoencoderState, Metrics]]:
        augment_key, corrupt_key, network_key = jax.random.split(key, 3)
        x = examples_of(augment_key, batch)
        restored, stats = network.apply(
            Variables(params, state.stats), corrupted(corrupt_key, x), train=True, key=network_key
        )
        flat, target = restored.reshape(len(x), -1), x.reshape(len(x), -1)
        everything = jnp.ones(target.shape, bool)
        explained = masked.explained(flat[..., None], target[..., None], everything)
        value = losses.mean_squared_error(flat, target)
        return value, (AutoencoderState(stats), {"reconstruction/explained": explained})

    def update(params: Tree, state: AutoencoderState, step: Int[Array, ""]) -> AutoencoderState:
        return state

    def embed(params: Tree, state: AutoencoderState, inputs: Array) -> Float[Array, "batch dim"]:
        return embed_with(encoder, params["encoder"], state.stats["encoder"], inputs)

    def show(params: Tree, state: AutoencoderState, batch: Batch, *, key: PRNGKeyArray) -> dict[str, Array]:
        augment_key, corrupt_key = jax.random.split(key)
        x = examples_of(augment_key, batch)
        given = corrupted(corrupt_key, x)
        restored, _ = network.apply(Variables(params, state.stats), given, train=False)
        columns = [given, restored.reshape(x.shape).astype(x.dtype), x]
        return {"reconstruction": jnp.clip(jnp.stack(columns, axis=1), 0.0, 1.0)}

    return Method(init, loss, update, embed, show=show, diagnose=diagnose)


def diagnose(metrics: Mapping[str, float]) -> list[str]:
    """Whether the restored examples are no better than the mean."""
    return warnings.nothing_explained(
        metrics, "try weaker corruption (`corrupt`), a larger `decoder` or a higher learning rate"
    )
