"""Small text transformers of each kind, with weights large enough that a wrong one is seen."""

import jax
import jax.numpy as jnp
import numpy as np

from jssl import nn
from jssl.core import Text

PRESETS = {
    "bert": {"max_length": 16, **nn.BERT},
    "gpt2": {"max_length": 16, **nn.GPT2},
    "modern": {"window": 2, **nn.MODERN},
    "decoder": {"window": 2, "causal": True, **nn.MODERN},
}


def small(preset, *, depth=2, **options):
    return nn.text_transformer(30, 16, depth, 2, **{**PRESETS[preset], **options})


def loud(encoder, seed=1):
    """Its variables, with N(0, 0.3) added to each number."""
    variables = encoder.init(jax.random.key(seed), Text(jnp.zeros((1, 4), jnp.int32)))
    leaves, tree = jax.tree.flatten(variables)
    keys = jax.random.split(jax.random.key(seed + 1), len(leaves))
    return jax.tree.unflatten(
        tree, [x + 0.3 * jax.random.normal(key, x.shape) for key, x in zip(keys, leaves, strict=True)]
    )


def tokens(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).integers(1, 30, shape), jnp.int32)


def segments(*lengths, n=None):
    """One row of documents with these lengths, then padding up to n."""
    row = np.repeat(np.arange(1, len(lengths) + 1), lengths)
    return jnp.asarray(np.pad(row, (0, (n or len(row)) - len(row)))[None], jnp.int32)
