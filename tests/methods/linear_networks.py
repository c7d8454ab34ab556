"""Networks that are one matrix, for losses that are computed again by hand."""

import jax
import jax.numpy as jnp
import numpy as np

from jssl import core
from jssl.core import Variables

MASK = 0.3


def linear(dim, summarise):
    """`summarise(x) @ kernel`, for numbers in the last axis of the summary."""

    def init(key, x):
        width = jax.eval_shape(summarise, x).shape[-1]
        return Variables({"kernel": jax.random.normal(key, (width, dim))}, {})

    def apply(variables, x, *, train, key=None):
        return summarise(x) @ variables.params["kernel"], variables.stats

    return core.Encoder(init, apply)


def of_images(dim):
    """The mean pixel, whatever the size of the images."""
    return linear(dim, lambda x: x.mean(axis=(1, 2)))


def of_tokens(dim):
    """The mean token, as class token, and all tokens; MASK where one is masked."""

    def summary(tokens):
        values = tokens.values
        if tokens.masked is not None:
            values = jnp.where(tokens.masked[..., None], MASK, values)
        return jnp.concatenate([values.mean(axis=1, keepdims=True), values], axis=1)

    return linear(dim, summary)


def logits(head, h):
    """What `nn.dino_head(num, hidden=())` with these parameters makes of features."""
    (dense,) = head["mlp"].values()
    z = np.asarray(h, np.float64) @ np.asarray(dense["kernel"]) + np.asarray(dense["bias"])
    z = z / np.linalg.norm(z, axis=-1, keepdims=True)
    prototypes = np.asarray(head["prototypes"]["kernel"])
    return z @ (prototypes / np.linalg.norm(prototypes, axis=0))


def softmax(x):
    exps = np.exp(x - x.max(axis=-1, keepdims=True))
    return exps / exps.sum(axis=-1, keepdims=True)


def cross_entropy(p, q):
    return -np.sum(p * np.log(q), axis=-1)
