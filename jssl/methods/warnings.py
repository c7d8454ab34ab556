"""What several methods say about their own last metrics: what has collapsed, and what to try."""

from collections.abc import Mapping

EVEN = 1.0
"""The spread of directions that fill the sphere evenly (see `methods.parts.spread`)."""


def no_spread(metrics: Mapping[str, float], advice: str, *, below: float = 0.1) -> list[str]:
    """A sentence if "collapse/std" says that all examples are embedded alike.

    Args:
        metrics: the last ones; without "collapse/std" nothing is said.
        advice: what to try, as "try a lower learning rate".
        below: the spread that counts as collapsed; 1 is even.
    """
    spread = metrics.get("collapse/std", EVEN)
    if not spread < below:
        return []
    return [f"Collapse: all examples are embedded nearly alike (spread {spread:.3f} of 1), so {advice}."]


def at_chance(metrics: Mapping[str, float], advice: str, *, above: float = 0.98) -> list[str]:
    """A sentence if "contrastive/chance" says that the contrastive loss is that of a uniform guess.

    Args:
        metrics: the last ones; without "contrastive/chance" nothing is said.
        advice: what to try, as "try a lower temperature".
        above: the share of the guess's loss, log K for K candidates, that counts as stuck.
    """
    chance = metrics.get("contrastive/chance", 0.0)
    if not chance > above:
        return []
    return [
        f"Stuck at chance: the contrastive loss is {chance:.2f} times log K, that of a guess among all K "
        f"candidates; after the warm-up that is a collapse, so {advice}."
    ]


def nothing_explained(metrics: Mapping[str, float], advice: str, *, below: float = 0.02) -> list[str]:
    """A sentence if "reconstruction/explained" says that the mean would be predicted as well.

    Args:
        metrics: the last ones; without "reconstruction/explained" nothing is said.
        advice: what to try, as "try a lower learning rate".
        below: the share of the variance that counts as nothing.
    """
    share = metrics.get("reconstruction/explained", 1.0)
    if not share < below:
        return []
    return [
        f"Nothing learned: the reconstruction explains {share:.1%} of the variance, and the mean would do as "
        f"well; after the warm-up that is a collapse, so {advice}."
    ]


def guessing(metrics: Mapping[str, float], advice: str, *, above: float = 0.98) -> list[str]:
    """A sentence if "classification/chance" says that the pretext task's classes are guessed.

    Args:
        metrics: the last ones; without "classification/chance" nothing is said.
        advice: what to try, as "try a higher learning rate".
        above: the share of the guess's loss, log K for K classes, that counts as stuck.
    """
    chance = metrics.get("classification/chance", 0.0)
    if not chance > above:
        return []
    return [
        f"Stuck at chance: the loss is {chance:.2f} times log K, that of a guess among K classes; after the "
        f"warm-up that is a collapse, so {advice}."
    ]


def still_targets(metrics: Mapping[str, float], advice: str, *, below: float = 0.05) -> list[str]:
    """A sentence if "target/std" says that the targets are the same for all examples.

    Args:
        metrics: the last ones; without "target/std" nothing is said.
        advice: what to try, as "try a `decay` nearer to 1".
        below: the standard deviation between examples, of targets of variance 1, that counts as collapsed.
    """
    std = metrics.get("target/std", 1.0)
    if not std < below:
        return []
    return [
        f"Collapse: the targets hardly differ between examples (standard deviation {std:.3f}), and nothing "
        f"need be seen to predict them, so {advice}."
    ]


def few_dimensions(metrics: Mapping[str, float], advice: str, *, below: float = 0.01) -> list[str]:
    """A sentence if "collapse/dimensions" says that the embeddings lie in a few dimensions.

    Trials of BYOL and SimSiam in the small preset on CIFAR-10 that ended below 0.006 had kNN of 28 to 32 %,
    those above 0.007 of 32 to 36 %, their encoder untrained 25 to 29 %.

    Args:
        metrics: the last ones; without "collapse/dimensions" nothing is said.
        advice: what to try, as "try a larger batch".
        below: the share that counts as collapsed; 1 is an even cloud (see `methods.parts.dimensions`).
    """
    share = metrics.get("collapse/dimensions", 1.0)
    if not share < below:
        return []
    return [
        f"Dimensional collapse: the embeddings fill {share:.1%} of the dimensions that an even cloud would, "
        f"so {advice}."
    ]
