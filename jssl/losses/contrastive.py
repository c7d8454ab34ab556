"""Contrastive losses: an embedding finds its partner among all the others.

The similarities of the whole batch are visited in tiles and never held (see `jssl.ops.candidates`), so that
memory grows with the batch, not with its square.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Scalar

from jssl import ops
from jssl.losses.checks import check_temperature, check_views


def info_nce(
    z_a: Float[Array, "batch dim"],
    z_b: Float[Array, "batch dim"],
    *,
    temperature: float | Float[Array, ""],
    hard: Float[Array, "batch dim"] | None = None,
    hard_weight: float = 0.0,
    axis_name: str | None = None,
) -> Scalar:
    """InfoNCE: each row of `z_a` finds its partner among all rows of `z_b`.

    `L = -1/N sum_i log( exp(cos(a_i, b_i) / t) / sum_j exp(cos(a_i, b_j) / t) )`

    Not symmetric: rows of `z_b` are candidates only. CLIP's loss is the mean of both directions. Hard
    negatives c add `sum_j exp(cos(a_i, c_j) / t + w [j = i])` to the denominator, as SimCSE has them.

    Args:
        z_a: embeddings of one view, `[batch, dim]`; they need not be normalised.
        z_b: embeddings of the other view; row i is the partner of row i of `z_a`.
        temperature: above 0; may be a learned scalar.
        hard: further candidates, `[batch, dim]`; row i is a hard negative of row i of `z_a`.
        hard_weight: w, at least 0: what is added to the logit of a row's own hard negative.
        axis_name: axis of `jax.pmap` or `jax.shard_map` over which the batch is split; the candidates are
            then those of all devices, and gradients follow the convention of `jssl.ops.devices`.

    Returns:
        Mean over the rows of `z_a`, a float32 scalar.

    Raises:
        ValueError: if the views differ in shape or are not `[batch, dim]`, the temperature is not above 0, or
            the weight is below 0.

    Deviation: the paper scores pairs with a learned bilinear form; this is the cosine of later work.

    Reference: van den Oord et al. 2018, arXiv:1807.03748, equation 4; hard negatives: Gao et al. 2021,
    arXiv:2104.08821, equation 5 and appendix B.
    """
    check_temperature(temperature)
    a, b = _unit_views(z_a, z_b)
    a = a / temperature
    among_all = ops.log_sum_exp(a, b, axis_name=axis_name)
    if hard is not None:
        among_all = jnp.logaddexp(
            among_all, _among_hard(a, _unit_views(z_b, hard)[1], hard_weight, axis_name)
        )
    return ops.mean(among_all - jnp.sum(a * b, axis=1), axis_name=axis_name)


def nt_xent(
    z_a: Float[Array, "batch dim"],
    z_b: Float[Array, "batch dim"],
    *,
    temperature: float | Float[Array, ""],
    axis_name: str | None = None,
) -> Scalar:
    """SimCLR's NT-Xent: each of the 2N embeddings finds its partner among all the others, of both views.

    `l(i, j) = -log( exp(cos(z_i, z_j) / t) / sum_{k != i} exp(cos(z_i, z_k) / t) )`

    over the positive pairs (i, j), in both orders: 1 positive and 2N - 2 negatives. Symmetric in its views.

    Args:
        z_a: embeddings of one view, `[batch, dim]`; they need not be normalised.
        z_b: embeddings of the other view; row i is the partner of row i of `z_a`.
        temperature: above 0; may be a learned scalar.
        axis_name: axis of `jax.pmap` or `jax.shard_map` over which the batch is split; the negatives are
            then those of all devices, and gradients follow the convention of `jssl.ops.devices`.

    Returns:
        Mean over the 2N embeddings, a float32 scalar.

    Raises:
        ValueError: if the views differ in shape or are not `[batch, dim]`, the temperature is not above 0,
            or the global batch has a single example, which leaves no negatives.

    Reference: Chen et al. 2020, arXiv:2002.05709, equation 1.
    """
    positives, among_others = _among_others(z_a, z_b, 1, axis_name, temperature)
    return ops.mean(among_others - positives, axis_name=axis_name)


def dcl(
    z_a: Float[Array, "batch dim"],
    z_b: Float[Array, "batch dim"],
    *,
    temperature: float | Float[Array, ""],
    sigma: float | None = None,
    axis_name: str | None = None,
) -> Scalar:
    """Decoupled contrastive loss: NT-Xent whose denominator leaves the partner out.

    `l(i, j) = -w_i cos(z_i, z_j) / t + log( sum_{k not in {i, j}} exp(cos(z_i, z_k) / t) )`

    over the positive pairs (i, j), in both orders, with `w_i = 1`; and with `sigma` (DCLW), for the example
    of the pair, `w = 2 - exp(cos(a, b) / sigma) / mean_n exp(cos(a_n, b_n) / sigma)`, without gradient.
    Easy positives no longer weaken the gradient of the negatives, so that small batches do.

    Args:
        z_a: embeddings of one view, `[batch, dim]`; they need not be normalised.
        z_b: embeddings of the other view; row i is the partner of row i of `z_a`.
        temperature: above 0; may be a learned scalar.
        sigma: above 0; of the weights, which turn to the positives that are far apart (0.5 in the paper).
            None: equal weights.
        axis_name: axis of `jax.pmap` or `jax.shard_map` over which the batch is split; the negatives are
            then those of all devices, and gradients follow the convention of `jssl.ops.devices`.

    Returns:
        Mean over the 2N embeddings, a float32 scalar, which may be negative.

    Raises:
        ValueError: as `nt_xent`, and for a sigma not above 0.

    Deviation: the mean over all embeddings, where the paper has the sum.

    Reference: Yeh et al. 2021, arXiv:2110.06848, section 3.
    """
    positives, among_negatives = _among_others(z_a, z_b, 2, axis_name, temperature)
    weights = 1.0 if sigma is None else _far_apart(positives * temperature, sigma, axis_name)
    return ops.mean(among_negatives - weights * positives, axis_name=axis_name)


def contrastive_accuracy(
    z_a: Float[Array, "batch dim"], z_b: Float[Array, "batch dim"], *, axis_name: str | None = None
) -> Scalar:
    """The share of rows of `z_a` whose most similar row of `z_b`, by cosine, is their partner: a metric.

    Args and Raises: as for `info_nce`.
    """
    nearest = ops.nearest(*_unit_views(z_a, z_b), axis_name=axis_name)
    correct = nearest == ops.global_rows(len(nearest), axis_name)
    return ops.mean(correct.astype(jnp.float32), axis_name=axis_name)


def _unit_views(z_a: Array, z_b: Array) -> tuple[Float[Array, "batch dim"], Float[Array, "batch dim"]]:
    check_views(z_a, z_b)
    return ops.l2_normalize(ops.at_least_float32(z_a)), ops.l2_normalize(ops.at_least_float32(z_b))


def _among_hard(a: Array, c: Array, weight: float, axis_name: str | None) -> Float[Array, " rows"]:
    """The log of the sum over all hard negatives, of which each row's own counts exp(weight) times."""
    if weight < 0:
        raise ValueError(f"expected hard_weight of at least 0, got {weight}")
    among = ops.log_sum_exp(a, c, axis_name=axis_name)
    return jnp.logaddexp(among, jnp.sum(a * c, axis=1) + math.log(math.expm1(weight))) if weight else among


def _among_others(
    z_a: Array, z_b: Array, group: int, axis_name: str | None, temperature: float | Array
) -> tuple[Float[Array, " rows"], Float[Array, " rows"]]:
    """Of each of the 2N embeddings: the logit of its partner, and the log of the sum over the others.

    Args:
        group: embeddings that are not counted: 1, only itself; 2, its partner too.
    """
    check_temperature(temperature)
    a, b = (z / jnp.sqrt(temperature) for z in _unit_views(z_a, z_b))
    # Interleaved, not concatenated: the batch keeps its sharding.
    z = jnp.stack([a, b], axis=1).reshape(-1, a.shape[1])
    rows = ops.global_rows(len(z), axis_name)
    if len(z) * (1 if axis_name is None else jax.lax.axis_size(axis_name)) == 2:
        raise ValueError("expected at least 2 examples, got a global batch of 1: it has no negatives")
    positives = jnp.repeat(jnp.sum(a * b, axis=1), 2)
    return positives, ops.log_sum_exp_of_others(z, rows // group, axis_name=axis_name)


def _far_apart(cosines: Array, sigma: float, axis_name: str | None) -> Float[Array, " rows"]:
    """DCLW's weights, of mean 1: above it for positives less alike than the others."""
    if not sigma > 0:
        raise ValueError(f"expected sigma above 0, or None for equal weights, got {sigma}")
    # The factor exp(-1 / sigma) cancels; without it a small sigma would overflow.
    likeness = jnp.exp((jax.lax.stop_gradient(cosines) - 1) / sigma)
    return 2 - likeness / ops.mean(likeness, axis_name=axis_name)
