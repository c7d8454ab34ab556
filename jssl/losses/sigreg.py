"""SIGReg: embeddings are distributed as an isotropic Gaussian, tested along random directions."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, Scalar

from jssl import ops


def sigreg(
    z: Float[Array, "batch *views dim"],
    *,
    key: PRNGKeyArray,
    num_projections: int = 1024,
    num_knots: int = 17,
    max_frequency: float = 3.0,
    axis_name: str | None = None,
) -> Scalar:
    """Sketched isotropic Gaussian regularisation: Epps and Pulley's test of many one-dimensional shadows.

    `L = 1/|A| sum_{a in A} T({a' z_n})`, with directions `a` drawn evenly from the unit sphere at each step,
    and the statistic `T` of `epps_pulley`.

    Args:
        z: embeddings, `[batch, dim]`, or `[batch, views, dim]` where each view is tested by itself.
        key: of the directions; the same on all devices.
        num_projections: number of directions.
        num_knots: see `epps_pulley`.
        max_frequency: see `epps_pulley`.
        axis_name: axis of `jax.pmap` or `jax.shard_map` over which the batch is split. Gradients: see
            `jssl.ops.devices`.

    Returns:
        Mean over directions and views, a float32 scalar: about 1 for a Gaussian, and in the order of the
        batch's size for embeddings that have collapsed.

    Raises:
        ValueError: for fewer than 1 direction, 2 knots, or a frequency not above 0.

    Reference: Balestriero and LeCun, 2025, arXiv 2511.08544, section 4, definition 2 and algorithm 1.
    """
    if num_projections < 1:
        raise ValueError(f"expected 1 projection or more, got num_projections={num_projections}")
    directions = jax.random.normal(key, (z.shape[-1], num_projections))
    directions = ops.l2_normalize(directions, axis=0)
    z = ops.at_least_float32(z)
    shadows = jnp.matmul(z, directions.astype(z.dtype), precision=jax.lax.Precision.HIGHEST)
    statistics = epps_pulley(shadows, num_knots=num_knots, max_frequency=max_frequency, axis_name=axis_name)
    return jnp.mean(statistics)


def epps_pulley(
    x: Float[Array, "batch *rest"],
    *,
    num_knots: int = 17,
    max_frequency: float = 3.0,
    axis_name: str | None = None,
) -> Float[Array, "*rest"]:
    """How far samples are from a standard normal distribution, by their characteristic function.

    `T = N integral_{-f}^{f} |1/N sum_n exp(i t x_n) - exp(-t^2 / 2)|^2 exp(-t^2 / 2) dt`

    The integrand is even, so it is summed by the trapezoidal rule from 0 to f and doubled.

    Args:
        x: samples along the first axis; each position of the others is a test of its own.
        num_knots: points of the rule, 0 and f among them; memory does not grow with them.
        max_frequency: f, above 0.
        axis_name: axis of `jax.pmap` or `jax.shard_map` over which the samples are split.

    Returns:
        The statistics, in float32.

    Raises:
        ValueError: for fewer than 2 knots or a frequency not above 0.

    Deviation: frequencies up to 3, as in the published code; the paper's text has 5.

    Reference: Epps and Pulley, 1983; Balestriero and LeCun, 2025, arXiv 2511.08544, section 4.2.3.
    """
    if num_knots < 2 or max_frequency <= 0:
        raise ValueError(
            f"expected 2 knots or more and a frequency above 0, got {num_knots} and {max_frequency}"
        )
    x = ops.at_least_float32(x)
    num = len(x) * (1 if axis_name is None else jax.lax.axis_size(axis_name))
    frequencies = jnp.linspace(0.0, max_frequency, num_knots, dtype=x.dtype)
    gaussian = jnp.exp(-(frequencies**2) / 2)
    width = 2 * max_frequency / (num_knots - 1)
    weights = width * gaussian * jnp.ones(num_knots).at[jnp.array([0, -1])].set(0.5).astype(x.dtype)

    # One frequency after the other, its terms computed again for the gradient, to hold no table of them all.
    @jax.checkpoint
    def error(own: tuple[Array, Array]) -> Float[Array, "*rest"]:
        t, expected = own
        real, imaginary = (_mean(part(t * x), axis_name) for part in (jnp.cos, jnp.sin))
        return (real - expected) ** 2 + imaginary**2

    errors = jax.lax.map(error, (frequencies, gaussian))
    return num * jnp.tensordot(weights, errors, axes=1, precision=jax.lax.Precision.HIGHEST)


def lejepa(
    z: Float[Array, "batch views dim"],
    *,
    key: PRNGKeyArray,
    num_global: int | None = None,
    weight: float = 0.05,
    num_projections: int = 1024,
    num_knots: int = 17,
    max_frequency: float = 3.0,
    axis_name: str | None = None,
) -> Scalar:
    """LeJEPA: all views predict the centre of the global ones, and each view's embeddings are Gaussian.

    `L = (1 - lambda) mean_{n, v, d} (z_nv - 1/G sum_{g <= G} z_ng)^2 + lambda mean_v SIGReg(z_v)`

    Args:
        z: embeddings of all views, the global ones first; they are not normalised.
        key: of SIGReg's directions.
        num_global: G; None: all views are global.
        weight: lambda, in [0, 1].
        num_projections: see `sigreg`.
        num_knots: see `epps_pulley`.
        max_frequency: see `epps_pulley`.
        axis_name: axis of `jax.pmap` or `jax.shard_map` over which the batch is split. Gradients: see
            `jssl.ops.devices`.

    Returns:
        A float32 scalar.

    Raises:
        ValueError: for a weight or a number of global views out of range; see `sigreg`.

    Reference: Balestriero and LeCun, 2025, arXiv 2511.08544, section 5.1 and algorithm 2.
    """
    if not 0 <= weight <= 1:
        raise ValueError(f"expected a weight in [0, 1], got {weight}")
    gaussian = sigreg(
        z,
        key=key,
        num_projections=num_projections,
        num_knots=num_knots,
        max_frequency=max_frequency,
        axis_name=axis_name,
    )
    invariance = view_invariance(z, num_global=num_global, axis_name=axis_name)
    return (1 - weight) * invariance + weight * gaussian


def view_invariance(
    z: Float[Array, "batch views dim"], *, num_global: int | None = None, axis_name: str | None = None
) -> Scalar:
    """Mean squared distance of all views to the centre of the global ones: LeJEPA's prediction term."""
    num_global = z.shape[1] if num_global is None else num_global
    if not 1 <= num_global <= z.shape[1]:
        raise ValueError(f"expected from 1 to {z.shape[1]} global views, got num_global={num_global}")
    z = ops.at_least_float32(z)
    centers = jnp.mean(z[:, :num_global], axis=1, keepdims=True)
    return ops.mean((z - centers) ** 2, axis_name=axis_name)


def _mean(x: Array, axis_name: str | None) -> Array:
    mean = jnp.mean(x, axis=0)
    return mean if axis_name is None else jax.lax.pmean(mean, axis_name)
