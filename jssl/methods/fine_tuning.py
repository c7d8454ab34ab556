"""What methods that learn from labels share: an encoder, trained with what stands on it or left as it is."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jssl import losses, ops
from jssl.core import Batch, Encoder, Share, Text, Tree, Variables
from jssl.losses import TokenLoss
from jssl.methods import text_parts as parts

UNCOUNTED = -1
"""The label of what is not counted."""


class TunedState(NamedTuple):
    """Statistics of all parts by name, and the parameters of the encoder where it is frozen.

    They are no parameters of the method then, so that weight decay leaves them alone too.
    """

    stats: Tree
    frozen: Tree


class Answers(NamedTuple):
    """The loss of logits, and how much each of them counts in it."""

    loss: TokenLoss
    weights: Float[Array, "*batch"]


def start(variables: Mapping[str, Variables], freeze: bool) -> tuple[Tree, TunedState]:
    """What is trained, and the state before the first step."""
    params = {name: own.params for name, own in variables.items()}
    frozen = {"encoder": params.pop("encoder")} if freeze else {}
    return params, TunedState({name: own.stats for name, own in variables.items()}, frozen)


def part(params: Tree, state: TunedState, name: str) -> Variables:
    """The variables of a part; those of a frozen one get no gradient."""
    own = jax.lax.stop_gradient(state.frozen[name]) if name in state.frozen else params[name]
    return Variables(own, state.stats[name])


def encode(
    encoder: Encoder, params: Tree, state: TunedState, text: Text, *, train: bool, key: PRNGKeyArray | None
) -> tuple[Float[Array, "batch n dim"], Tree]:
    """Hidden states and new statistics; a frozen encoder runs as it is evaluated, also in training."""
    train = train and "encoder" not in state.frozen
    return encoder.apply(part(params, state, "encoder"), text, train=train, key=key if train else None)


def rows(batch: Batch, inputs: str, pad: int | None) -> Text:
    """The rows of a batch; where it doesn't say what is padding, the pad token does."""
    text = parts.text_of(batch, inputs)
    return text if text.segments is not None else parts.padded(text.tokens, pad)._replace(types=text.types)


def dropped(z: Array, rate: float, key: PRNGKeyArray | None) -> Array:
    """The head's input; without a key nothing is dropped."""
    return z if key is None or not rate else ops.dropout(key, z, rate)


def answers(logits: Float[Array, "*batch classes"], labels: Int[Array, "*batch"], batch: Batch) -> Answers:
    """Mean cross-entropy and accuracy over the labels that count."""
    weights = (labels != UNCOUNTED).astype(jnp.float32)
    if "weight" in batch:
        weights = weights * batch["weight"].reshape(-1, *(1,) * (labels.ndim - 1))
    right = (jnp.argmax(logits, axis=-1) == labels).astype(jnp.float32)
    accuracy = jnp.sum(weights * right) / jnp.maximum(jnp.sum(weights), 1.0)
    return Answers(TokenLoss(losses.token_cross_entropy(logits, labels, weights), accuracy), weights)


def shares(found: Answers) -> dict[str, Share]:
    """Loss and accuracy as shares of sums over several batches."""
    return parts.shares(found.loss, found.weights, "label/accuracy")


def check_head(num_classes: int, dropout: float) -> None:
    """Refuse a head that tells nothing apart, or drops everything."""
    if num_classes < 2 or not 0 <= dropout < 1:
        raise ValueError(
            f"expected 2 classes or more and a dropout in [0, 1), got {num_classes} and {dropout}"
        )
