"""How well a language model predicts text: perplexity and bits per byte of a whole validation set."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jssl.evals.eval import AnyArray


class Likelihood(NamedTuple):
    """What a model thinks of some text.

    nll: the negative log likelihood of all counted tokens, in nats.
    tokens: their number, or the sum of their weights.
    """

    nll: float
    tokens: float

    @property
    def mean(self) -> float:
        """Nats a token."""
        return self.nll / self.tokens


class Windows(NamedTuple):
    """A text cut into rows of one length; `weights` is 0 where a row is filled up, else 1."""

    tokens: Int[np.ndarray, "rows n"]
    weights: Float[np.ndarray, "rows n"]


def perplexity(nll_sum: float, tokens: float | int) -> float:
    """Among how many tokens, all equally likely, the model is as uncertain: 1 where it is certain.

        exp(nll / tokens)

    Args:
        nll_sum: the negative log likelihood of all tokens, in nats.
        tokens: how many, above 0.

    Returns:
        Infinity where it is too large for a float. Models with different tokenizers are compared by
        `bits_per_byte`.
    """
    mean = nll_sum / _above_zero(tokens, "tokens")
    return math.exp(mean) if mean < 709 else math.inf if mean == mean else mean


def bits_per_byte(nll_sum: float, bytes: float | int) -> float:
    """How many bits the model needs for a byte of the text, whatever its tokens are: 8 for noise.

        nll / (bytes log 2)

    Args:
        nll_sum: the negative log likelihood of the text, in nats.
        bytes: length of the text in UTF-8, above 0.
    """
    return nll_sum / (_above_zero(bytes, "bytes") * math.log(2))


def windows(tokens: Int[AnyArray, " total"], length: int) -> Windows:
    """Rows in which every token but the very first is predicted exactly once.

    Each row has `length` + 1 tokens, the last of which is the next row's first: the inputs are `[:, :-1]`,
    the targets `[:, 1:]` with the weights `[:, 1:]`. The last row is filled up with copies of its last token.

    Args:
        tokens: the whole text, two tokens or more.
        length: predicted tokens in a row, 1 or more.

    Returns:
        ceil((total - 1) / length) rows.
    """
    whole = np.asarray(tokens)
    if whole.ndim != 1 or len(whole) < 2 or length < 1:
        raise ValueError(
            f"expected one list of two tokens or more and a length of 1 or more, got shape {whole.shape} and "
            f"length={length}"
        )
    num = -(-(len(whole) - 1) // length)
    places = np.arange(num)[:, None] * length + np.arange(length + 1)
    inside = places < len(whole)
    return Windows(whole[np.minimum(places, len(whole) - 1)], inside.astype(np.float32))


def evaluate_rows(
    score: Callable[[Any, Any], tuple[Any, Any]],
    rows: Int[AnyArray, "rows n"],
    weights: Float[AnyArray, "rows n"] | None = None,
    *,
    batch_size: int = 32,
) -> Likelihood:
    """The exact likelihood of all rows: every token counts alike, however the rows fall into batches.

        nll = sum over batches of nll_b,   count = sum over batches of count_b

    The last batch is filled up with rows of weight 0, so that `score` is compiled once. Sums over batches are
    in float64; a batch is computed while the one before it is fetched.

    Args:
        score: jitted `(tokens [b, n], weights [b, n]) -> (nll, count)`: the weighted sum of the tokens'
            negative log likelihoods, and the sum of the weights that took part in it.
        rows: the whole split, as of `windows`.
        weights: of the tokens, 0 where they don't count; None: all 1.
        batch_size: rows in each call.

    Returns:
        `nll` and `tokens`, for `perplexity` and `bits_per_byte`.

    Raises:
        ValueError: no rows, weights of another shape, or nothing that counts.
    """
    rows = np.asarray(rows)
    weights = np.ones(rows.shape, np.float32) if weights is None else np.asarray(weights, np.float32)
    if rows.ndim != 2 or not len(rows) or weights.shape != rows.shape or batch_size < 1:
        raise ValueError(
            f"expected rows [rows, n], weights of the same shape and a batch size of 1 or more, got "
            f"{rows.shape}, {weights.shape} and batch_size={batch_size}"
        )
    surplus = -len(rows) % batch_size
    rows = np.pad(rows, ((0, surplus), (0, 0)), mode="edge")
    weights = np.pad(weights, ((0, surplus), (0, 0)))
    sums = np.zeros(2)
    pending: tuple[Any, Any] = (0.0, 0.0)
    for start in range(0, len(rows), batch_size):
        computing = score(rows[start : start + batch_size], weights[start : start + batch_size])
        sums += [float(x) for x in pending]
        pending = computing
    nll, tokens = (sums + [float(x) for x in pending]).tolist()
    return Likelihood(nll, _above_zero(tokens, "a sum of weights"))


def _above_zero(number: float | int, what: str) -> float | int:
    if number <= 0:
        raise ValueError(f"expected {what} above 0, got {number}")
    return number
