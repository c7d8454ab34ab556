"""How far two groupings of the same examples agree, whatever their groups are called."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


@jax.jit
def normalized_mutual_information(a: Int[Array, " n"], b: Int[Array, " n"]) -> Float[Array, ""]:
    """The information that two groupings share: 0 if they are independent, 1 if they are the same.

    `NMI = I(a; b) / ((H(a) + H(b)) / 2)`,   `I(a; b) = H(a) + H(b) - H(a, b)`

    By sorting, so that there may be any number of groups of any name. Two groupings of one group each have 1.
    Many small groups agree by chance: compare figures for equal numbers of groups only.

    Args:
        a: the group of each example.
        b: its group in the other grouping.

    Reference: Strehl and Ghosh, 2002; with the arithmetic mean, as scikit-learn. Caron et al., 2018,
    arXiv 1807.05520, equation 3, has the geometric mean.
    """
    order = jnp.lexsort((b, a))
    by_a, by_b = a[order], jnp.sort(b)
    new_a, new_b = _starts(by_a), _starts(by_b)
    h_a, h_b, h_ab = _entropy(new_a), _entropy(new_b), _entropy(new_a | _starts(b[order]))
    mean = (h_a + h_b) / 2
    shared = jnp.clip((h_a + h_b - h_ab) / jnp.where(mean > 0, mean, 1.0), 0.0, 1.0)
    return jnp.where(mean > 0, shared, 1.0)


def _starts(values: Int[Array, " n"]) -> Bool[Array, " n"]:
    """Whether each value differs from the one before."""
    return jnp.concatenate([jnp.ones(1, bool), values[1:] != values[:-1]])


def _entropy(starts: Bool[Array, " n"]) -> Float[Array, ""]:
    """The entropy of the lengths of the runs that begin at `starts`, in nats."""
    n = len(starts)
    runs = jax.ops.segment_sum(jnp.ones(n), jnp.cumsum(starts) - 1, num_segments=n)
    return -jnp.sum(jax.scipy.special.xlogy(runs / n, runs / n))
