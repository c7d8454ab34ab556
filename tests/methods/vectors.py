"""The smallest pretext task: pairs of noisy vectors, whose networks compile in no time."""

import jax
import jax.numpy as jnp
import numpy as np

from jssl import nn
from jssl.core import Variables, example_keys

ENCODER, PROJECTOR, PREDICTOR = nn.mlp((8, 6)), nn.mlp((8, 5)), nn.mlp((16, 5))
BATCH = {"x": jax.random.normal(jax.random.key(9), (12, 7))}


def two_views(key, x):
    return x[None] + 0.3 * jax.random.normal(key, (2, 7))


def views_of(key):
    """What a method's transforms make of the batch with this key: [12, 2, 7]."""
    return jax.vmap(two_views)(example_keys(key, 12), BATCH["x"])


def begin(method, seed=0):
    return jax.jit(method.init)(jax.random.key(seed), BATCH)


def evaluate(method, params, state, seed=1, step=0):
    """Value, new state and metrics, and gradients in the parameters."""
    function = jax.jit(jax.value_and_grad(method.loss, has_aux=True))
    return function(params, state, BATCH, key=jax.random.key(seed), step=jnp.asarray(step, jnp.int32))


def forward(params, stats, rows, *names):
    """The networks of these names one after the other, in training."""
    networks = {"encoder": ENCODER, "projector": PROJECTOR, "predictor": PREDICTOR}
    for name in names:
        rows, _ = networks[name].apply(Variables(params[name], stats[name]), rows, train=True)
    return np.asarray(rows, np.float64)


def forward_views(params, stats, views, *names):
    """The same for views [batch, views, dim], each of them alone."""
    return np.stack([forward(params, stats, views[:, i], *names) for i in range(views.shape[1])], axis=1)


def unit(z):
    return z / np.linalg.norm(z, axis=-1, keepdims=True)


def softmax_loss(logits, own):
    """Mean of -log softmax at the own column of each row."""
    return np.mean([np.log(np.exp(row).sum()) - row[i] for row, i in zip(logits, own, strict=True)])
