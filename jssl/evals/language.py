"""How well a language model predicts text: perplexity and bits per byte of a whole validation set."""

import math


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


def _above_zero(number: float | int, what: str) -> float | int:
    if number <= 0:
        raise ValueError(f"expected {what} above 0, got {number}")
    return number
