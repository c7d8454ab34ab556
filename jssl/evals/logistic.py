"""Multinomial logistic regression, many at once: every weighting of the examples and every L2 strength.

The problem is convex and linear in its parameters, and both are used. In the eigenbasis of the features'
covariance, scaled by the upper bound of the curvature, it is well conditioned (Böhning, 1992). Logits along a
search direction are a line, so a Newton step along it and backtracking need no product with the features:
an L-BFGS iteration costs one product forward and one back, for all problems together in one matrix.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

MEMORY = 5
"""How many past steps L-BFGS approximates the curvature from."""


class _Data(NamedTuple):
    """What stays the same; `p` problems, `r` directions of the eigenbasis and the constant 1 for the bias."""

    x: Float[Array, "n r"]
    targets: Float[Array, "1 classes n"]
    weights: Float[Array, "p n"]
    scale: Float[Array, "p 1 r"]
    penalty: Float[Array, "p 1 r"]


class _Point(NamedTuple):
    """Where the descent stands."""

    v: Float[Array, "p classes r"]
    logits: Float[Array, "p classes n"]
    probabilities: Float[Array, "p classes n"]
    gradient: Float[Array, "p classes r"]
    value: Float[Array, " p"]


class _Memory(NamedTuple):
    """Past steps, changes of the gradient, and one over their inner products; the newest first."""

    steps: Float[Array, "m p classes r"]
    changes: Float[Array, "m p classes r"]
    inverses: Float[Array, "m p"]


@partial(jax.jit, static_argnames=("num_classes", "max_iterations", "tolerance"))
def logistic_regression(
    features: Float[Array, "n dim"],
    labels: Int[Array, " n"],
    weights: Float[Array, "p n"],
    l2: Float[Array, " p"],
    *,
    num_classes: int,
    max_iterations: int = 100,
    tolerance: float = 1e-4,
) -> tuple[Float[Array, "p dim classes"], Float[Array, "p classes"]]:
    """Fit p multinomial logistic regressions to the same examples.

        minimise  sum_i w_i CE(x_i W + b, y_i) / sum_i w_i  +  l2 / 2 ||W||^2

    Args:
        features: centred, of about unit variance.
        labels: class numbers from 0.
        weights: of each example in each problem, 0 or more: 0 leaves it out.
        l2: strength in each problem, above 0; scikit-learn's C is 1 / (l2 n).
        num_classes: one more than the highest label.
        max_iterations: of L-BFGS, at most.
        tolerance: of the gradient's length in the scaled basis, where the curvature is 1 at most.

    Returns:
        W and b of each problem, for logits `x W + b`; b is not penalised.

    Reference: Liu and Nocedal, 1989 (L-BFGS); Böhning, 1992 (bound of the curvature).
    """
    basis, data = _prepare(features, labels, weights, l2, num_classes)
    shape = (len(l2), num_classes, data.x.shape[1])
    start = _start(data, shape)
    empty = _Memory(*(jnp.zeros((MEMORY, *shape)),) * 2, jnp.zeros((MEMORY, len(l2))))

    def unfinished(carry: tuple[_Point, _Memory, Array]) -> Bool[Array, ""]:
        point, _, iteration = carry
        steep = jnp.any(_dot(point.gradient, point.gradient) > tolerance**2)
        return (iteration < max_iterations) & steep

    def iterate(carry: tuple[_Point, _Memory, Array]) -> tuple[_Point, _Memory, Array]:
        point, memory, iteration = carry
        after = _line_search(data, point, _direction(point.gradient, memory))
        return after, _remember(memory, point, after), iteration + 1

    end, _, _ = jax.lax.while_loop(unfinished, iterate, (start, empty, jnp.zeros((), jnp.int32)))
    solution = data.scale * end.v
    kernel = jnp.einsum("rd,pcr->pdc", basis, solution[:, :, :-1], precision=jax.lax.Precision.HIGHEST)
    return kernel, solution[:, :, -1]


def _prepare(
    features: Array, labels: Array, weights: Array, l2: Array, num_classes: int
) -> tuple[Float[Array, "r dim"], _Data]:
    """The eigenbasis of the features, and the problems in it; directions without variance are left out."""
    n, dim = features.shape
    product = partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)
    if n > dim:
        eigenvalues, columns = jnp.linalg.eigh(product(features.T, features) / n)
        basis = columns.T
    else:
        eigenvalues, columns = jnp.linalg.eigh(product(features, features.T) / n)
        # Of the same precision as above, and several times faster than a singular value decomposition.
        large = eigenvalues > 10 * jnp.finfo(features.dtype).eps * eigenvalues[-1]
        length = jnp.sqrt(n * jnp.where(large, eigenvalues, 1.0))
        basis = jnp.where(large[:, None], product(columns.T, features) / length[:, None], 0.0)
    x = product(features, basis.T)
    variance = jnp.append(jnp.maximum(eigenvalues, 0.0), 1.0)
    strength = l2[:, None] * jnp.ones(len(variance)).at[-1].set(0.0)[None]
    # 1/2 bounds the curvature of the cross-entropy in the logits.
    scale = 1 / jnp.sqrt(variance[None] / 2 + strength)
    return basis, _Data(
        jnp.concatenate([x, jnp.ones((n, 1))], axis=1),
        jax.nn.one_hot(labels, num_classes).T[None],
        weights / weights.sum(1, keepdims=True),
        scale[:, None],
        (strength * scale**2)[:, None],
    )


def _start(data: _Data, shape: tuple[int, int, int]) -> _Point:
    p, classes, _ = shape
    uniform = jnp.full((p, classes, data.x.shape[0]), 1 / classes)
    v, value = jnp.zeros(shape), jnp.full(p, jnp.log(float(classes)))
    return _Point(v, jnp.zeros_like(uniform), uniform, _gradient(data, v, uniform), value)


def _dot(a: Array, b: Array) -> Float[Array, " p"]:
    return jnp.sum(a * b, (1, 2))


def _logits(data: _Data, v: Array) -> Float[Array, "p classes n"]:
    flat = (data.scale * v).reshape(-1, v.shape[2])
    return jnp.matmul(flat, data.x.T, precision=jax.lax.Precision.HIGHEST).reshape(*v.shape[:2], -1)


def _gradient(data: _Data, v: Array, probabilities: Array) -> Float[Array, "p classes r"]:
    residual = (probabilities - data.targets) * data.weights[:, None]
    flat = residual.reshape(-1, residual.shape[2])
    product = jnp.matmul(flat, data.x, precision=jax.lax.Precision.HIGHEST)
    return data.scale * product.reshape(v.shape) + data.penalty * v


def _value(data: _Data, v: Array, logits: Array) -> Float[Array, " p"]:
    cross_entropy = jax.nn.logsumexp(logits, axis=1) - jnp.sum(logits * data.targets, 1)
    return jnp.sum(data.weights * cross_entropy, 1) + _dot(data.penalty * v, v) / 2


def _line_search(data: _Data, point: _Point, u: Array) -> _Point:
    """A Newton step along `u`, shortened where the value would not fall."""
    line = _logits(data, u)
    slope = _dot(point.gradient, u)
    mean = jnp.sum(point.probabilities * line, 1)
    spread = jnp.sum(point.probabilities * line**2, 1) - mean**2
    curvature = jnp.sum(data.weights * spread, 1) + _dot(data.penalty * u, u)
    # Values near the optimum are equal to float32's precision; they must not count as a rise.
    slack = 1e-6 * (1 + jnp.abs(point.value))

    def moved(length: Array) -> tuple[Array, Array, Array]:
        v = point.v + length[:, None, None] * u
        logits = point.logits + length[:, None, None] * line
        return v, logits, _value(data, v, logits)

    def rises(length: Array) -> Bool[Array, " p"]:
        return moved(length)[2] > point.value + 1e-4 * length * slope + slack

    def shorten(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        length, too_long, count = carry
        length = jnp.where(too_long, 0.4 * length, length)
        return length, rises(length), count + 1

    first = -slope / jnp.maximum(curvature, 1e-20)
    length, _, _ = jax.lax.while_loop(
        lambda carry: jnp.any(carry[1]) & (carry[2] < 20),
        shorten,
        (first, rises(first), jnp.zeros((), jnp.int32)),
    )
    v, logits, value = moved(length)
    probabilities = jax.nn.softmax(logits, axis=1)
    return _Point(v, logits, probabilities, _gradient(data, v, probabilities), value)


def _remember(memory: _Memory, before: _Point, after: _Point) -> _Memory:
    step, change = after.v - before.v, after.gradient - before.gradient
    product = _dot(step, change)
    inverse = jnp.where(product > 1e-20, 1 / jnp.maximum(product, 1e-20), 0.0)
    pushed = (
        jnp.concatenate([new[None], old[:-1]])
        for new, old in zip((step, change, inverse), memory, strict=True)
    )
    return _Memory(*pushed)


def _direction(gradient: Array, memory: _Memory) -> Float[Array, "p classes r"]:
    """The two-loop recursion; with an empty memory the negative gradient."""

    def newest_first(q: Array, past: _Memory) -> tuple[Array, Array]:
        coefficient = past.inverses * _dot(past.steps, q)
        return q - coefficient[:, None, None] * past.changes, coefficient

    def oldest_first(q: Array, past: tuple[_Memory, Array]) -> tuple[Array, None]:
        (step, change, inverse), coefficient = past
        return q + (coefficient - inverse * _dot(change, q))[:, None, None] * step, None

    q, coefficients = jax.lax.scan(newest_first, gradient, memory)
    product, length = memory.inverses[0], _dot(memory.changes[0], memory.changes[0])
    q = q / jnp.where(product > 0, product * length, 1.0)[:, None, None]
    q, _ = jax.lax.scan(oldest_first, q, (memory, coefficients), reverse=True)
    return -q
