"""Masked tokens, words and spans: BERT's corruption, with a static number of places to predict."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, UInt32

from jssl.pretext.text import choice

ROUNDS = 3
"""How often what is left of a number of tokens is filled with words that still fit."""


class MaskedTokens(NamedTuple):
    """A corrupted row and what was in it.

    chosen: places of the masked tokens, ascending; 0 where there are fewer than k.
    targets: the tokens that were there.
    weights: 1 where a place is used, else 0.
    """

    tokens: Int[Array, " n"]
    chosen: Int[Array, " k"]
    targets: Int[Array, " k"]
    weights: Float[Array, " k"]


Choose = Callable[[PRNGKeyArray, Bool[Array, " n"], Int[Array, ""]], Bool[Array, " n"]]
"""A key, the tokens that may be chosen and how many, to those that are."""


def mask_tokens(
    key: PRNGKeyArray,
    tokens: Int[Array, " n"],
    *,
    mask_id: int,
    vocab_size: int,
    special: tuple[int, ...],
    segments: Int[Array, " n"] | None = None,
    rate: float = 0.15,
    keep: float = 0.1,
    random: float = 0.1,
    bound: int | None = None,
) -> MaskedTokens:
    """Choose tokens uniformly without replacement; put the mask, a random token or the token itself there.

    Args:
        tokens: one row, numbers in [0, vocab_size).
        mask_id: the token that stands for a hidden one.
        vocab_size: number of different tokens, special ones included.
        special: tokens that are never chosen and never put anywhere, padding too; the mask is one of them.
        segments: 0 where a token is not to be chosen; None: everywhere else it may be.
        rate: share of the tokens that may be chosen which is, in (0, 1). Their number is rounded to one of
            its two neighbours at random, such that its mean is exact.
        keep: share of the chosen tokens that stay as they are.
        random: share of the chosen tokens that are replaced by another one, drawn uniformly.
        bound: k, at most so many are chosen; None: ceil(rate * n), which leaves out nothing.

    Returns:
        MaskedTokens with k places.

    Raises:
        ValueError: for shares outside of their range, tokens outside of the vocabulary, or a bound below 1.

    Deviation: BERT rounds the number down and masks one token at least.

    Reference: Devlin et al. 2018, arXiv:1810.04805, section 3.1 and appendix A.1.
    """

    def choose(key: PRNGKeyArray, eligible: Array, num: Array) -> Array:
        return choice.lowest(
            jnp.where(eligible, choice.random_order(_bits(key, len(eligible))), choice.NEVER), num
        )

    return _mask(choose, key, tokens, mask_id, vocab_size, special, segments, (rate, keep, random), bound)


def mask_words(
    key: PRNGKeyArray,
    tokens: Int[Array, " n"],
    *,
    starts: Bool[Array, " vocab"] | Bool[np.ndarray, " vocab"],
    mask_id: int,
    vocab_size: int,
    special: tuple[int, ...],
    segments: Int[Array, " n"] | None = None,
    rate: float = 0.15,
    keep: float = 0.1,
    random: float = 0.1,
    bound: int | None = None,
) -> MaskedTokens:
    """As `mask_tokens`, for whole words: all tokens of a word are chosen, or none.

    Words are taken in random order; one with more tokens than are still to be chosen is skipped, as in BERT.
    So the share is met where short words abound, and long ones are chosen less often in short rows.

    Args:
        starts: tokens that begin a word. A word also begins after a special token and with a segment.
        segments: the number of the document, in whose words no other takes part; 0 is never chosen.
        mask_id, vocab_size, special, rate, keep, random, bound: as for `mask_tokens`. Each token of a chosen
            word is kept or replaced on its own.

    Raises:
        ValueError: as `mask_tokens`, or if `starts` has another size than the vocabulary.

    Deviation: words that fit are looked for three times, not until none is found.

    Reference: the whole word masking of github.com/google-research/bert, create_pretraining_data.py.
    """
    if starts.shape != (vocab_size,):
        raise ValueError(f"expected starts of {vocab_size} tokens, got shape {starts.shape}")

    def choose(key: PRNGKeyArray, eligible: Array, num: Array) -> Array:
        begins = choice.begins_run(eligible, segments) | (eligible & jnp.asarray(starts)[tokens])
        word = jnp.maximum(jnp.cumsum(begins) - 1, 0)
        length = jnp.zeros_like(word).at[word].add(eligible)[word]
        order = choice.random_order(_bits(key, len(word)))[word]

        def fill(_: Array, chosen: Array) -> Array:
            left = num - jnp.sum(chosen)
            fits = eligible & ~chosen & (length <= left)
            return chosen | choice.lowest(jnp.where(fits, order, choice.NEVER), left)

        return jax.lax.fori_loop(0, ROUNDS, fill, jnp.zeros_like(eligible))

    return _mask(choose, key, tokens, mask_id, vocab_size, special, segments, (rate, keep, random), bound)


def mask_spans(
    key: PRNGKeyArray,
    tokens: Int[Array, " n"],
    *,
    mask_id: int,
    vocab_size: int,
    special: tuple[int, ...],
    segments: Int[Array, " n"] | None = None,
    mean_length: float = 5.0,
    max_length: int = 10,
    rate: float = 0.15,
    keep: float = 0.1,
    random: float = 0.1,
    bound: int | None = None,
) -> MaskedTokens:
    """As `mask_tokens`, for spans of random length, which begin at places drawn without replacement.

    `P(length = l) ~ p (1 - p)^(l - 1)` for l from 1 to `max_length`, p = 1 / `mean_length`

    Spans are taken until the number of tokens is reached, the last one in part. A span ends before a special
    token and with its segment; spans may overlap.

    Args:
        mean_length: of the geometric distribution before it ends at `max_length`; with 5 and 10 as in the
            paper, p = 0.2, spans have 3.8 tokens in the mean.
        max_length: tokens of the longest span.
        segments: the number of the document, beyond which no span goes; 0 is never chosen.
        mask_id, vocab_size, special, rate, keep, random, bound: as for `mask_tokens`.

    Raises:
        ValueError: as `mask_tokens`, or if a length is below 1.

    Deviations: spans of tokens, where the paper has spans of whole words; each token is kept or replaced on
    its own, not its whole span.

    Reference: Joshi et al. 2019 (SpanBERT), arXiv:1907.10529, section 3.1.
    """
    if mean_length < 1 or max_length < 1:
        raise ValueError(f"expected lengths of 1 or more, got mean {mean_length} and maximum {max_length}")

    def choose(key: PRNGKeyArray, eligible: Array, num: Array) -> Array:
        stops = ~eligible | choice.begins_run(eligible, segments)
        order = _order_by_span(key, eligible, stops, mean_length, max_length)
        return choice.lowest(order, num)

    return _mask(choose, key, tokens, mask_id, vocab_size, special, segments, (rate, keep, random), bound)


def _order_by_span(
    key: PRNGKeyArray, eligible: Array, stops: Array, mean_length: float, max_length: int
) -> UInt32[Array, " n"]:
    """The tokens in the order of the first span that covers them, and within it from its start on."""
    order_bits, length_bits = _bits(key, 2, len(eligible))
    start = choice.random_order(order_bits, within=max_length)
    own = jnp.where(eligible, start, choice.NEVER)

    # A loop, since XLA's CPU backend would fuse all of it and compute the lengths again for each offset.
    def extend(offset: Array, spans: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        """Of each token: the first span so far, and the one that begins `offset` places before it."""
        order, start, length = spans
        start, length = (jnp.pad(x[:-1], (1, 0)) for x in (start, length))
        start = jnp.where((length > offset) & ~stops, start, choice.NEVER)
        place = jnp.where(start == choice.NEVER, start, start + offset.astype(jnp.uint32))
        return jnp.minimum(order, place), start, length

    lengths = _span_lengths(choice.uniform(length_bits), mean_length, max_length)
    return jax.lax.fori_loop(1, max_length, extend, (own, own, lengths))[0]


def _span_lengths(u: Float[Array, " n"], mean_length: float, max_length: int) -> Int[Array, " n"]:
    """Lengths with the distribution of `mask_spans` from uniform numbers in [0, 1)."""
    more = 1 - 1 / mean_length
    if more == 0:
        return jnp.ones(u.shape, jnp.int32)
    longer = 1 - u * (1 - more**max_length)
    return jnp.clip(jnp.floor(jnp.log(longer) / math.log(more)) + 1, 1, max_length).astype(jnp.int32)


def _bits(key: PRNGKeyArray, *shape: int) -> UInt32[Array, "..."]:
    return jax.random.bits(key, shape, jnp.uint32)


def _mask(
    choose: Choose,
    key: PRNGKeyArray,
    tokens: Int[Array, " n"],
    mask_id: int,
    vocab_size: int,
    special: tuple[int, ...],
    segments: Int[Array, " n"] | None,
    shares: tuple[float, float, float],
    bound: int | None,
) -> MaskedTokens:
    """Choose the share of the tokens that may be chosen, and corrupt them."""
    rate, keep, random = shares
    ordinary = _check(mask_id, vocab_size, special, shares, bound)
    # The small term keeps a product such as 0.15 * 20 from rising above its whole number.
    bound = bound or max(1, math.ceil(rate * len(tokens) - 1e-6))
    choose_key, place_key = jax.random.split(key)
    rounding, action, other = _bits(place_key, 3, bound)
    eligible = ~choice.is_one_of(tokens, (*special, mask_id))
    if segments is not None:
        eligible &= segments > 0
    num = jnp.floor(rate * jnp.sum(eligible) + choice.uniform(rounding[0])).astype(jnp.int32)
    places = choice.positions(choose(choose_key, eligible, jnp.minimum(num, bound)), bound)
    used = places < len(tokens)
    chosen = jnp.where(used, places, 0)
    targets = tokens[chosen]
    action = choice.uniform(action)
    values = jnp.where(action < keep + random, ordinary(other).astype(tokens.dtype), mask_id)
    values = jnp.where(action < keep, targets, values)
    corrupted = tokens.at[places].set(values, mode="drop")
    return MaskedTokens(corrupted, chosen, targets, used.astype(jnp.float32))


def _check(
    mask_id: int,
    vocab_size: int,
    special: tuple[int, ...],
    shares: tuple[float, float, float],
    bound: int | None,
) -> Callable[[UInt32[Array, " k"]], UInt32[Array, " k"]]:
    """What makes tokens that are not special of random bits, from arguments that make sense."""
    rate, keep, random = shares
    if not 0 < rate < 1 or min(keep, random) < 0 or keep + random > 1:
        raise ValueError(
            "expected a rate in (0, 1), and keep and random of at least 0 and at most 1 together, got "
            f"{rate}, {keep} and {random}"
        )
    hidden = sorted({*special, mask_id})
    if not 0 <= hidden[0] <= hidden[-1] < vocab_size or len(hidden) == vocab_size:
        raise ValueError(f"expected special tokens in [0, {vocab_size}) and others, got {hidden}")
    if bound is not None and bound < 1:
        raise ValueError(f"expected a bound of 1 or more, got {bound}")
    # The number of an ordinary token from which on so many special ones come before it.
    passed = np.array(hidden, np.uint32) - np.arange(len(hidden), dtype=np.uint32)

    def ordinary(bits: UInt32[Array, " k"]) -> UInt32[Array, " k"]:
        number = bits % np.uint32(vocab_size - len(hidden))
        return number + jnp.sum(number[:, None] >= passed[None], axis=1, dtype=jnp.uint32)

    return ordinary
