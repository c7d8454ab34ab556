"""Which tokens of a row: a random number of them, drawn without replacement and without a sort.

XLA sorts slowly on CPUs, and five times more slowly if it is to say what came from where. Here the tokens
with the lowest random numbers are found by halving the range of the number that separates them from others.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, UInt32

NEVER = np.uint32(2**32 - 1)
"""The place in the order of what is not drawn."""


def random_order(bits: UInt32[Array, " n"], *, within: int = 1) -> UInt32[Array, " n"]:
    """n different numbers below 2^31 in random order, each followed by `within` - 1 free ones.

    Raises:
        ValueError: if so many places leave less than 8 bits to chance.
    """
    num, spare = len(bits), (within - 1).bit_length()
    fixed = (num - 1).bit_length() + spare
    if fixed > 23:
        raise ValueError(f"expected rows of {2 ** (23 - spare)} tokens at most, got {num}")
    return (bits >> (fixed + 1) << fixed) | (jnp.arange(num, dtype=jnp.uint32) << spare)


def lowest(order: UInt32[Array, " n"], num: Int[Array, ""]) -> Bool[Array, " n"]:
    """The first tokens in the order, as many as `num` allows; those that share a place are taken together."""

    def halve(i: Int[Array, ""], bound: UInt32[Array, ""]) -> UInt32[Array, ""]:
        higher = bound | (jnp.uint32(2**31) >> i.astype(jnp.uint32))
        return jnp.where(jnp.sum(order < higher) <= num, higher, bound)

    return order < jax.lax.fori_loop(0, 32, halve, jnp.uint32(0))


def positions(chosen: Bool[Array, " n"], num: int) -> Int[Array, " {num}"]:
    """Where the first `num` chosen tokens stand, ascending; n where there are fewer."""
    return jnp.searchsorted(jnp.cumsum(chosen), jnp.arange(1, num + 1))


def uniform(bits: UInt32[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Numbers in [0, 1) of random bits, which compile faster drawn once for several needs."""
    return (bits >> 8).astype(jnp.float32) / 2**24


def is_one_of(tokens: Int[Array, " n"], special: tuple[int, ...]) -> Bool[Array, " n"]:
    """True where a token is one of the special ones."""
    return jnp.any(tokens[:, None] == np.array(special, np.int32)[None], axis=1)


def begins_run(eligible: Bool[Array, " n"], segments: Int[Array, " n"] | None) -> Bool[Array, " n"]:
    """True where no eligible token of the same segment comes before an eligible one."""
    before = jnp.pad(eligible[:-1], (1, 0))
    if segments is not None:
        before &= segments == jnp.pad(segments[:-1], (1, 0))
    return eligible & ~before
