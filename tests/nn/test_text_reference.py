"""Each kind of block computed by hand, in float64, from the equations."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from jssl import nn
from jssl.core import Text
from tests.nn.texts import loud, segments, tokens

SEGMENTS = np.asarray(jnp.concatenate([segments(4, 2, n=7), segments(7)]))


def norm(x, p, epsilon):
    y = (x - x.mean()) / math.sqrt(((x - x.mean()) ** 2).mean() + epsilon)
    return y * p["scale"] + p.get("bias", 0)


def gelu(x):
    return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def linear(x, p):
    return x @ p["kernel"] + p.get("bias", 0)


def position(row, i):
    """How many tokens of the same document come before."""
    return int(np.sum(row[:i] == row[i]))


def turned(x, place, base):
    """The pairs (x_j, x_{j + d/2}) by the angle of their frequency."""
    y, half = x.copy(), len(x) // 2
    for j in range(half):
        c, s = (f(place / base ** (j / half)) for f in (math.cos, math.sin))
        y[j], y[j + half] = x[j] * c - x[j + half] * s, x[j] * s + x[j + half] * c
    return y


def attention(x, p, row, heads, *, base=None, window=None):
    """[n, dim] of one row, each token by itself."""
    n, dim = x.shape
    size = dim // heads
    qkv = linear(x, p["qkv"]).reshape(n, 3, heads, size)
    if base is not None:
        for i, part, head in np.ndindex(n, 2, heads):
            qkv[i, part, head] = turned(qkv[i, part, head], position(row, i), base)
    out = np.zeros((n, heads, size))
    for i, head in np.ndindex(n, heads):
        seen = [j for j in range(n) if row[j] == row[i] and (window is None or abs(i - j) <= window)]
        weights = np.exp([qkv[i, 0, head] @ qkv[j, 1, head] / math.sqrt(size) for j in seen])
        out[i, head] = sum(w * qkv[j, 2, head] for w, j in zip(weights / weights.sum(), seen, strict=True))
    return linear(out.reshape(n, dim), p["out"])


def each(f, x, *args):
    return np.stack([f(token, *args) for token in x])


def bert(params, ids, row, types):
    """Post-norm: embeddings with a norm, one block."""
    places = [position(row, i) for i in range(len(row))]
    x = params["tokens"][ids] + params["positions"][places] + params["types"][types]
    x, p = each(norm, x, params["embed_norm"], 1e-12), params["block0"]
    x = each(norm, x + attention(x, p["attention"], row, 2), p["norm1"], 1e-12)
    return each(norm, x + linear(gelu(linear(x, p["mlp1"])), p["mlp2"]), p["norm2"], 1e-12)


def modern(params, ids, row):
    """Pre-norm, GeGLU, rotary positions; the second block has a window and another base."""
    x = each(norm, params["tokens"][ids], params["embed_norm"], 1e-5)
    for index, (base, window) in enumerate([(160_000.0, None), (10_000.0, 2)]):
        p = params[f"block{index}"]
        y = each(norm, x, p["norm1"], 1e-5) if index else x
        x = x + attention(y, p["attention"], row, 2, base=base, window=window)
        gate, y = np.split(linear(each(norm, x, p["norm2"], 1e-5), p["mlp1"]), 2, axis=-1)
        x = x + linear(gelu(gate) * y, p["mlp2"])
    return each(norm, x, params["norm"], 1e-5)


def found(encoder, text):
    """Its float64 parameters, and what it gives."""
    with jax.enable_x64(True):
        variables = jax.tree.map(lambda x: x.astype(jnp.float64), loud(encoder))
        h = jax.jit(lambda v: encoder.apply(v, text, train=False)[0])(variables)
    assert h.dtype == np.float64
    return jax.tree.map(np.asarray, variables.params), h


def test_post_norm_block():
    ids, types = tokens(2, 7), jnp.asarray(np.random.default_rng(0).integers(0, 2, (2, 7)))
    encoder = nn.text_transformer(30, 8, 1, 2, max_length=9, dtype=jnp.float64, **nn.BERT)
    params, h = found(encoder, Text(ids, jnp.asarray(SEGMENTS), types))
    for index in range(2):
        expected = bert(params, np.asarray(ids[index]), SEGMENTS[index], np.asarray(types[index]))
        np.testing.assert_allclose(h[index], expected, rtol=0, atol=1e-10)


def test_pre_norm_gated_rotary_blocks():
    ids = tokens(2, 7)
    encoder = nn.text_transformer(30, 8, 2, 2, window=2, dtype=jnp.float64, **nn.MODERN)
    params, h = found(encoder, Text(ids, jnp.asarray(SEGMENTS)))
    assert "norm1" not in params["block0"]
    assert params["block0"]["mlp1"]["kernel"].shape == (8, 2 * 24)  # 2/3 of 32, a multiple of 8
    for index in range(2):
        expected = modern(params, np.asarray(ids[index]), SEGMENTS[index])
        np.testing.assert_allclose(h[index], expected, rtol=0, atol=1e-5)
