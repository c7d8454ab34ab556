"""Bags of words: how often each token occurs in a text, the baseline that features of text must beat."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jssl.evals.eval import AnyArray


class Bag(NamedTuple):
    """The tokens that are counted, in increasing order, and their weights.

    tokens: one a column.
    idf: how much an occurrence counts: more for rare tokens.
    """

    tokens: Int[np.ndarray, " columns"]
    idf: Float[np.ndarray, " columns"]


def fit_bag(rows: Int[AnyArray, "n length"], *, ignore: Sequence[int] = (0,), most: int | None = None) -> Bag:
    """Finds the tokens of some texts and weighs them by their rarity.

        idf_t = log((1 + n) / (1 + n_t)) + 1,   n_t of the n texts contain the token t

    Args:
        rows: a text each, tokens from 0 up.
        ignore: tokens that are not counted: the padding, and any other special ones.
        most: only the so many most frequent tokens are kept; None: all.

    Raises:
        ValueError: no texts, tokens below 0, or nothing left to count.

    Reference: scikit-learn's TfidfTransformer, by default smooth.
    """
    rows = _checked(rows)
    ordered = np.sort(rows, axis=1)
    first = np.ones(ordered.shape, bool)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    total = np.bincount(ordered.ravel())
    texts = np.bincount(ordered[first], minlength=len(total))
    total[[token for token in ignore if 0 <= token < len(total)]] = 0
    # Of equally frequent tokens the lower ones.
    kept = np.sort(np.argsort(-total, kind="stable")[: min(most or len(total), np.count_nonzero(total))])
    if not len(kept):
        raise ValueError(f"expected tokens to count, got none beside those to ignore, {tuple(ignore)}")
    return Bag(kept, np.log((1 + len(rows)) / (1 + texts[kept])) + 1)


def bag_of_words(bag: Bag, rows: Int[AnyArray, "n length"]) -> Float[np.ndarray, "n columns"]:
    """TF-IDF features of texts.

        x_it = f_it idf_t / sqrt(sum_s (f_is idf_s)^2),   f_it occurrences of the token t in text i

    Args:
        bag: of `fit_bag`; tokens that it does not have are left out.
        rows: a text each.

    Returns:
        float32, rows of length 1; zeros for a text without any of the tokens.
    """
    rows = _checked(rows)
    columns = np.full(max(int(rows.max()), int(bag.tokens[-1])) + 1, -1)
    columns[bag.tokens] = np.arange(len(bag.tokens))
    places = columns[rows]
    features = np.zeros((len(rows), len(bag.tokens)), np.float32)
    counted = places >= 0
    np.add.at(
        features, (np.nonzero(counted)[0], places[counted]), bag.idf[places[counted]].astype(np.float32)
    )
    length = np.sqrt(np.einsum("ij,ij->i", features, features))
    features /= np.where(length > 0, length, 1)[:, None]
    return features


def _checked(rows: AnyArray) -> np.ndarray:
    rows = np.asarray(rows)
    if rows.ndim != 2 or not rows.size or not np.issubdtype(rows.dtype, np.integer) or rows.min() < 0:
        raise ValueError(f"expected rows of tokens [n, length] from 0 up, got {rows.dtype} of {rows.shape}")
    return rows
