"""How well the likeness of two features agrees with the likeness that people see: textual similarity."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import chain
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jssl import ops
from jssl.evals.eval import AnyArray, Embed, Eval, require_finite


@runtime_checkable
class ScoredPairs(Protocol):
    """Pairs with the likeness that people gave them, as `data.sts_pairs` reads them."""

    @property
    def first(self) -> Sequence[Any]: ...

    @property
    def second(self) -> Sequence[Any]: ...

    @property
    def scores(self) -> np.ndarray: ...


class Likeness(NamedTuple):
    """The pairs of one set: what the features say, and what people said."""

    cosines: Float[np.ndarray, " n"]
    scores: Float[np.ndarray, " n"]


def cosine_similarities(u: Float[AnyArray, "n dim"], v: Float[AnyArray, "n dim"]) -> Float[Array, " n"]:
    """The cosine of each pair of rows, in [-1, 1]; 0 where one of them is 0.

    u_i v_i / (||u_i|| ||v_i||)
    """
    u, v = (ops.l2_normalize(jnp.asarray(x, jnp.float32)) for x in (u, v))
    return jnp.sum(u * v, axis=1)


def pearson(a: AnyArray, b: AnyArray) -> float:
    """The linear correlation of two lists of numbers.

        sum_i (a_i - mean a)(b_i - mean b) / sqrt(sum_i (a_i - mean a)^2  sum_i (b_i - mean b)^2)

    Args:
        a: n numbers, two or more.
        b: as many.

    Returns:
        In [-1, 1], of float64 arithmetic; NaN where all numbers of a list are equal.

    Raises:
        ValueError: fewer than two numbers, or lists of different lengths.
    """
    a, b = (np.asarray(x, np.float64) for x in (a, b))
    if a.ndim != 1 or a.shape != b.shape or len(a) < 2:
        raise ValueError(f"expected two lists of as many numbers, 2 or more, got {a.shape} and {b.shape}")
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    a, b = a - a.mean(), b - b.mean()
    return float(np.clip(a @ b / np.sqrt((a @ a) * (b @ b)), -1.0, 1.0))


def spearman(a: AnyArray, b: AnyArray) -> float:
    """The correlation of two lists' ranks: whether one rises where the other does.

        pearson(rank(a), rank(b)),   equal numbers share the mean of their ranks

    Args:
        a: n numbers, two or more.
        b: as many.

    Returns:
        In [-1, 1]; NaN where all numbers of a list are equal. As `scipy.stats.spearmanr`.

    Raises:
        ValueError: fewer than two numbers, or lists of different lengths.
    """
    return pearson(_ranks(np.asarray(a)), _ranks(np.asarray(b)))


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, the mean rank for numbers that are equal."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[places]


def sts(
    sets: Mapping[str, Mapping[str, ScoredPairs]],
    encode: Callable[[list[Any]], np.ndarray],
    *,
    aggregation: str = "all",
    every: int | None = None,
) -> Eval:
    """Evaluation by semantic textual similarity, without training: cosines against people's scores.

    Of each group, as the tasks of a year, one figure. "all" joins the pairs of its sets and correlates once,
    as SimCSE does: "sts/2012/spearman". "mean" is the mean of its sets' correlations, which may differ by
    several points: "sts/2012/mean_spearman". "sts/average/..." is the mean over the groups.

    Args:
        sets: pairs by set and group, as of `data.sts_pairs(folder)`; one of `data.sick` joins as
            `{"sick": {"test": data.sick(folder).test}}`.
        encode: texts to what the encoder takes, an array with a row for each text, all of one length.
        aggregation: "all" or "mean".
        every: steps between runs while training; None: after the run only.

    Raises:
        ValueError: no sets, another aggregation, or a set of fewer than two pairs.

    Reference: Gao, Yao, Chen 2021, arXiv 2104.08821, appendix B (aggregation of the sets).
    """
    if aggregation not in ("all", "mean"):
        raise ValueError(f'expected the aggregation "all" or "mean", got {aggregation!r}')
    named = {(group, name): pairs for group, members in sets.items() for name, pairs in members.items()}
    if not named or min(len(pairs.scores) for pairs in named.values()) < 2:
        raise ValueError(f"expected sets of two pairs or more each, got {_sizes(named)}")

    @cache
    def rows() -> np.ndarray:
        return encode(list(chain.from_iterable([*x.first, *x.second] for x in named.values())))

    def compared(embed: Embed) -> tuple[dict[tuple[str, str], Likeness]]:
        features = embed(rows())
        require_finite(features, "features of the sentences")
        found, start = {}, 0
        for place, pairs in named.items():
            n = len(pairs.scores)
            u, v = features[start : start + n], features[start + n : start + 2 * n]
            found[place] = Likeness(np.asarray(cosine_similarities(u, v)), np.asarray(pairs.scores))
            start += 2 * n
        return (found,)

    def run(key: PRNGKeyArray, likeness: dict[tuple[str, str], Likeness]) -> dict[str, float]:
        measure = "spearman" if aggregation == "all" else "mean_spearman"
        figures = {
            group: sts_score([x for (of, _), x in likeness.items() if of == group], aggregation=aggregation)
            for group in sets
        }
        average = {f"sts/average/{measure}": float(np.mean(list(figures.values())))}
        return average | {f"sts/{group}/{measure}": value for group, value in figures.items()}

    return Eval("sts", run, every, own=compared)


def sts_score(members: Sequence[Likeness], *, aggregation: str = "all") -> float:
    """Spearman's correlation of several sets of pairs: of all pairs at once, or the mean of the sets'."""
    if aggregation == "mean":
        return float(np.mean([spearman(*x) for x in members]))
    return spearman(*(np.concatenate(column) for column in zip(*members, strict=True)))


def _sizes(named: Mapping[tuple[str, str], ScoredPairs]) -> str:
    return ", ".join(f"{group}/{name}: {len(x.scores)}" for (group, name), x in named.items()) or "none"
