"""Texts that are nearly the same, by the words that they share."""

import re
import zlib
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool

WORD = re.compile(r"\w+")

PERMUTATIONS = 128
"""Of a MinHash. Likeness is computed exactly in the end, so they decide only which pairs are looked at."""

MISSED, IN_VAIN = 0.9, 0.1
"""What a pair that is missed weighs, and one that is looked at in vain, in the choice of bands."""


def shingles(text: str, words: int) -> set[int]:
    """Hashes of all runs of so many words (all, where there are fewer), without case and punctuation."""
    found = WORD.findall(text.casefold()) or [text]
    last = max(len(found) - words, 0)
    return {
        zlib.crc32(" ".join(found[start : start + words]).encode("utf-8", "surrogatepass"))
        for start in range(last + 1)
    }


def likeness(a: set[int], b: set[int]) -> float:
    """Jaccard's: what is in both, over what is in either."""
    return len(a & b) / len(a | b)


def near_duplicates(
    texts: Sequence[str], threshold: float, *, words: int = 3, seed: int = 0
) -> Bool[np.ndarray, " texts"]:
    """Which texts are nearly one that stands before them and is kept.

    `|A & B| / |A | B| >= threshold`, A and B their runs of `words` words. MinHash and locality-sensitive
    hashing find the pairs to look at; their likeness is then exact, so what is dropped is alike, while a pair
    close to the threshold may be missed.

    Args:
        texts: in the order in which they take precedence.
        threshold: of the likeness, in (0, 1].
        words: of a run; with more of them fewer texts are alike.
        seed: of the hashes; it decides which pairs are missed.

    Raises:
        ValueError: a threshold outside of (0, 1], or no words in a run.

    Reference: Broder 1997, On the resemblance and containment of documents; Lee et al. 2021,
    arXiv:2107.06499.
    """
    from datasketch import MinHash, MinHashLSH

    if not 0 < threshold <= 1 or words < 1:
        raise ValueError(f"expected a threshold in (0, 1] and words >= 1, got {threshold} and {words}")
    index = MinHashLSH(threshold=threshold, num_perm=PERMUTATIONS, weights=(IN_VAIN, MISSED))
    empty = MinHash(num_perm=PERMUTATIONS, seed=seed + 1, hashfunc=int)
    dropped = np.zeros(len(texts), bool)
    for place, text in enumerate(texts):
        own = shingles(text, words)
        hashes = empty.copy()
        hashes.update_batch(own)
        near = index.query(hashes)
        if any(likeness(own, shingles(texts[other], words)) >= threshold for other in near):
            dropped[place] = True
        else:
            index.insert(place, hashes, check_duplication=False)
    return dropped
