"""Arithmetic that stays finite and precise where the plain form does not."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Shaped


def at_least_float32(x: Shaped[Array, "*shape"]) -> Float[Array, "*shape"]:
    """`x` in float32, or in float64 if it came so: the dtype in which every loss is computed."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def l2_normalize(
    x: Float[Array, "*shape"], *, axis: int = -1, epsilon: float = 1e-12
) -> Float[Array, "*shape"]:
    """Scale vectors to unit length: `x / ||x||`, computed in float32 and returned in the dtype of `x`.

    A vector no longer than `epsilon` becomes 0 and has gradient 0, where the plain form has NaN. One
    that holds NaN stays NaN, so that a diverged run is seen in its loss.
    """
    wide = at_least_float32(x)
    squared = jnp.sum(wide**2, axis=axis, keepdims=True)
    too_short = squared <= epsilon**2
    length = jnp.sqrt(jnp.where(too_short, 1.0, squared))
    return jnp.where(too_short, 0.0, wide / length).astype(x.dtype)


def cosine_similarity(a: Float[Array, "n dim"], b: Float[Array, "m dim"]) -> Float[Array, "n m"]:
    """The cosine between each row of `a` and each row of `b`, in full float32.

    Accelerators multiply float32 matrices in bfloat16 or TF32 by default. A temperature of 0.1 makes ten
    times that error of the logits, so the highest precision is asked for here.
    """
    a, b = (l2_normalize(at_least_float32(x)) for x in (a, b))
    return jnp.matmul(a, b.T, precision=jax.lax.Precision.HIGHEST)


def cross_entropy(
    logits: Float[Array, "*batch classes"], targets: Int[Array, "*batch"] | Float[Array, "*batch classes"]
) -> Float[Array, "*batch"]:
    """Cross-entropy of each example, `-sum_k target_k log softmax(logits)_k`, in float32.

    Args:
        logits: unnormalised log-probabilities; -inf excludes a class that is not a target.
        targets: the number of the class (integer dtype), or a probability of each class (float dtype).
    """
    logits = at_least_float32(logits)
    if jnp.issubdtype(targets.dtype, jnp.integer):
        target_logits = jnp.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
        return jax.nn.logsumexp(logits, axis=-1) - target_logits
    return -jnp.sum(at_least_float32(targets) * jax.nn.log_softmax(logits, axis=-1), axis=-1)


def cubic_kernel(x: Float[Array, "*shape"], a: float) -> Float[Array, "*shape"]:
    """The kernel of cubic convolution, 0 from |x| = 2 on.

    Args:
        x: distances between pixels.
        a: its slope at |x| = 1. PyTorch's resize has -0.75 without and -0.5 with antialiasing.

    Reference: Keys, 1981, Cubic convolution interpolation for digital image processing, equation 15.
    """
    x = jnp.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = a * (((x - 5) * x + 8) * x - 4)
    return jnp.where(x <= 1, near, jnp.where(x < 2, far, 0.0))
