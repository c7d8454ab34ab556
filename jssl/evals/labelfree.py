"""What features tell without labels: rank, spread, alignment, uniformity, and whether they have collapsed."""

from collections.abc import Mapping
from math import isfinite

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jssl import ops
from jssl.evals.eval import AnyArray, Eval, Split

PAIRS = 2**22
"""How many distances are held at once."""


def rankme(features: Float[AnyArray, "n dim"]) -> Float[Array, ""]:
    """The effective rank: in how many dimensions the features lie.

        exp(-sum_k p_k log p_k),   p_k = sigma_k / sum_j sigma_j + 1e-7

    with sigma the singular values of the features (not centred).

    Args:
        features: n examples; the rank is at most n, so take more examples than dimensions.

    Returns:
        From 1 (all on one line through 0) to min(n, dim).

    Reference: Garrido et al., 2023, arXiv 2210.02885, equation 1.
    """
    sigma = jnp.linalg.svd(jnp.asarray(features, jnp.float32), compute_uv=False)
    p = sigma / jnp.maximum(sigma.sum(), 1e-30) + 1e-7
    return jnp.exp(-jnp.sum(p * jnp.log(p)))


def feature_std(features: Float[AnyArray, "n dim"]) -> Float[Array, ""]:
    """How far the directions of the features spread: 0 where all are the same, 1 where they fill the sphere.

        sqrt(dim) mean_j std_i(z_ij),   z_i = x_i / ||x_i||

    The paper compares the standard deviation with 1 / sqrt(dim); here it is divided by it.

    Reference: Chen and He, 2021, arXiv 2011.10566, section 4.1.
    """
    z = ops.l2_normalize(jnp.asarray(features, jnp.float32))
    return jnp.sqrt(float(z.shape[1])) * jnp.mean(jnp.std(z, axis=0))


def alignment(
    z_a: Float[AnyArray, "n dim"], z_b: Float[AnyArray, "n dim"], *, exponent: float = 2.0
) -> Float[Array, ""]:
    """The mean distance of two views of the same example: 0 where all views agree.

        mean_i ||z_a_i - z_b_i||^exponent,   rows scaled to unit length

    Reference: Wang and Isola, 2020, arXiv 2005.10242, equation 7.
    """
    z_a, z_b = (ops.l2_normalize(jnp.asarray(z, jnp.float32)) for z in (z_a, z_b))
    return jnp.mean(jnp.sum((z_a - z_b) ** 2, axis=1) ** (exponent / 2))


def uniformity(z: Float[AnyArray, "n dim"], *, t: float = 2.0) -> Float[Array, ""]:
    """How evenly the directions cover the sphere: 0 where all are the same, about -4 where evenly (t = 2).

        log mean_{i != j} exp(-t ||z_i - z_j||^2),   rows scaled to unit length

    Args:
        z: two examples or more.
        t: above 0.

    Reference: Wang and Isola, 2020, arXiv 2005.10242, equation 8.
    """
    z = ops.l2_normalize(jnp.asarray(z, jnp.float32))
    n, squared = len(z), jnp.sum(z**2, axis=1)
    if n < 2:
        raise ValueError(f"expected two examples or more to compare, got {n}")

    def potential(index: Array) -> Array:
        cosine = jnp.matmul(z, z[index], precision=jax.lax.Precision.HIGHEST)
        distance = jnp.maximum(squared + squared[index] - 2 * cosine, 0.0)
        return jnp.exp(-t * distance).at[index].set(0.0).sum()

    tile = max(1, min(n, PAIRS // n))
    sums = jax.lax.map(potential, jnp.arange(n), batch_size=tile)
    return jnp.log(sums.mean() / (n - 1))


@jax.jit
def _measures(features: Array) -> dict[str, Array]:
    return {
        "collapse/rankme": rankme(features),
        "collapse/std": feature_std(features),
        "collapse/uniformity": uniformity(features),
    }


def collapse(*, every: int | None = None, max_examples: int = 4096) -> Eval:
    """Evaluation without labels of the test features.

    Gives "collapse/rankme", "collapse/std", "collapse/uniformity", "collapse/dim" (the number of dimensions),
    "collapse/not_finite" (the share of examples with NaN or infinity; if any, the other figures are left out)
    and, for a split with `views`, "collapse/alignment". `diagnose` puts them in words.

    Args:
        every: steps between runs while training; None: after the run only.
        max_examples: so many of the first test examples are looked at.
    """

    def run(key: PRNGKeyArray, train: Split, test: Split) -> dict[str, float]:
        features = np.asarray(test.features[:max_examples], np.float32)
        if features.ndim != 2 or len(features) < 2:
            raise ValueError(f"expected features [n, dim] with n of 2 or more, got shape {features.shape}")
        bad = float(np.mean(~np.isfinite(features).all(axis=1)))
        results = {"collapse/dim": float(features.shape[1]), "collapse/not_finite": bad}
        if bad:
            return results
        results |= {name: float(value) for name, value in _measures(features).items()}
        if test.views is not None:
            views = np.asarray(test.views[:max_examples], np.float32)
            results["collapse/alignment"] = float(alignment(views[:, 0], views[:, 1]))
        return results

    return Eval("collapse", run, every, baselines=False)


def diagnose(metrics: Mapping[str, float]) -> list[str]:
    """What is wrong with the features and what to try, one sentence each; nothing wrong, an empty list.

    Args:
        metrics: of `collapse`; other names are ignored, and names that are absent are not judged.
    """
    finite = {name: value for name, value in metrics.items() if isfinite(value)}
    if finite.get("collapse/not_finite", 0.0) > 0:
        return [_NOT_FINITE.format(100 * finite["collapse/not_finite"])]
    spread = finite.get("collapse/std", 1.0)
    if spread < 0.02:
        return [_TOTAL.format(spread)]
    found = []
    rank, dim = finite.get("collapse/rankme"), finite.get("collapse/dim", 0.0)
    if rank is not None and rank < 0.05 * dim:
        found.append(_DIMENSIONAL.format(rank, dim))
    if finite.get("collapse/uniformity", -4.0) > -0.2:
        found.append(_CROWDED.format(finite["collapse/uniformity"]))
    return found


_NOT_FINITE = (
    "{:.1f} % of the features are not finite: training has diverged, so try a lower learning rate, a longer "
    "warm-up, gradient clipping, or float32."
)
_TOTAL = (
    "Total collapse: all inputs get nearly the same features (spread {:.4f} of 1), so check that the target "
    "gets no gradient and that the predictor, centring or negatives are on, then lower the learning rate."
)
_DIMENSIONAL = (
    "Dimensional collapse: the features use about {:.1f} of {:.0f} dimensions, so try a larger batch or more "
    "negatives, a stronger variance or decorrelation term, a wider projector, or stronger augmentations."
)
_CROWDED = (
    "The features crowd into one small region of the sphere (uniformity {:.2f}; evenly spread is about -4), "
    "so try a lower temperature, more negatives, or longer training."
)
