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
