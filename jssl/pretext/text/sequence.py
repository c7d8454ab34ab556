"""A row and what follows, a row with holes, or a row in two parts."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from jssl.pretext.text import choice


class NextTokens(NamedTuple):
    """Tokens, what follows each, and whether that is to be predicted: 1 or 0."""

    inputs: Int[Array, "*batch m"]
    targets: Int[Array, "*batch m"]
    weights: Float[Array, "*batch m"]


def next_tokens(tokens: Int[Array, "*batch n"], segments: Int[Array, "*batch n"] | None = None) -> NextTokens:
    """Each token's target is the one after it: all but the last token, and all but the first.

    Args:
        tokens: n of a row, 2 or more.
        segments: the number of the document; what follows is predicted within one only, and nothing in
            segment 0, which is padding. None: everything is predicted.

    Returns:
        NextTokens of n - 1 tokens a row; the segments of the inputs are `segments[..., :-1]`.

    Raises:
        ValueError: for rows of one token or segments of another shape.
    """
    if tokens.shape[-1] < 2 or (segments is not None and segments.shape != tokens.shape):
        raise ValueError(
            "expected rows of 2 tokens or more and as many segments, got "
            f"{tokens.shape} and {None if segments is None else segments.shape}"
        )
    inputs, targets = tokens[..., :-1], tokens[..., 1:]
    if segments is None:
        return NextTokens(inputs, targets, jnp.ones(targets.shape, jnp.float32))
    within = (segments[..., 1:] == segments[..., :-1]) & (segments[..., 1:] > 0)
    return NextTokens(inputs, targets, within.astype(jnp.float32))


def delete_tokens(
    key: PRNGKeyArray, tokens: Int[Array, " n"], *, pad: int, special: tuple[int, ...], rate: float = 0.6
) -> Int[Array, " n"]:
    """TSDAE's noise: delete each token with one probability; the others keep their order, padded at the end.

    Args:
        pad: the token that is no token; never kept.
        special: tokens that are never deleted. Of the others one is kept at least.
        rate: probability of deletion, in [0, 1).

    Raises:
        ValueError: for a rate outside of [0, 1).

    Deviation: the published code deletes words; here it is tokens.

    Reference: Wang et al. 2021, arXiv:2104.06979, section 3.
    """
    if not 0 <= rate < 1:
        raise ValueError(f"expected a rate in [0, 1), got {rate}")
    present = tokens != pad
    stays = choice.is_one_of(tokens, special)
    luck = jnp.where(present & ~stays, jax.random.uniform(key, tokens.shape), -1.0)
    kept = present & (stays | (luck >= rate) | (luck == jnp.max(luck)))
    return _only(tokens, kept, pad)


def split_tokens(
    key: PRNGKeyArray, tokens: Int[Array, " n"], *, pad: int, special: tuple[int, ...], rate: float = 0.5
) -> Int[Array, "2 n"]:
    """Two parts of a row without a token in common: each goes to one of them, where their order stays.

    Which parts belong together is told by what they speak of alone: no word stands in both because it was
    copied, as after `delete_tokens`.

    Args:
        pad: the token that is no token; in neither part.
        special: tokens that are in both parts. Of the others each part has one at least; a single one is in
            both.
        rate: probability that a token goes to the first part, in [0, 1].

    Raises:
        ValueError: for a rate outside of [0, 1].

    Reference: Tosh et al. 2020, arXiv:2003.02234, who contrast parts of documents.
    """
    if not 0 <= rate <= 1:
        raise ValueError(f"expected a rate in [0, 1], got {rate}")
    everywhere = choice.is_one_of(tokens, special) & (tokens != pad)
    free = (tokens != pad) & ~everywhere
    luck = jax.random.uniform(key, tokens.shape)
    lowest = free & (luck == jnp.min(luck, where=free, initial=2.0))
    highest = free & (luck == jnp.max(luck, where=free, initial=-1.0))
    first = lowest | (free & (luck < rate) & ~highest)
    second = highest | (free & (luck >= rate) & ~lowest)
    return jnp.stack([_only(tokens, everywhere | part, pad) for part in (first, second)])


def _only(tokens: Int[Array, " n"], kept: Bool[Array, " n"], pad: int) -> Int[Array, " n"]:
    """The tokens that are kept, in their order, and then padding."""
    places = choice.positions(kept, len(tokens))
    return jnp.take(tokens, places, mode="fill", fill_value=pad)
