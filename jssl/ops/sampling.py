"""Drawing the next token from a language model's scores."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jssl.ops.numeric import at_least_float32


def sample_token(
    key: PRNGKeyArray,
    logits: Float[Array, "batch vocab"],
    *,
    temperature: float | Float[Array, ""] = 1.0,
    top_k: int | Int[Array, ""] = 0,
    top_p: float | Float[Array, ""] = 1.0,
) -> Int[Array, " batch"]:
    """Draw a token of each row from `softmax(logits / temperature)`, cut to the likeliest tokens.

    All settings may be traced, so that one program serves all of them. Of equal scores at the cut all stay.

    Args:
        temperature: 0: always the likeliest token.
        top_k: only so many of the likeliest tokens; 0: all.
        top_p: of these, the fewest whose probabilities sum to at least so much, in (0, 1].

    Reference: Fan et al., 2018, arXiv 1805.04833 (top-k); Holtzman et al., 2019, arXiv 1904.09751 (top-p).
    """
    logits = at_least_float32(logits)
    scaled = logits / jnp.maximum(temperature, 1e-6)
    descending = jnp.sort(scaled, axis=-1, descending=True)
    vocab = logits.shape[-1]
    last = jnp.clip(jnp.where(top_k == 0, vocab, top_k), 1, vocab) - 1
    kept = jnp.where(jnp.arange(vocab)[None] <= last, descending, -jnp.inf)
    before = jnp.cumsum(jax.nn.softmax(kept, axis=-1), axis=-1) - jax.nn.softmax(kept, axis=-1)
    lowest = jnp.min(jnp.where((before < top_p) & jnp.isfinite(kept), kept, jnp.inf), axis=-1, keepdims=True)
    drawn = jax.random.categorical(key, jnp.where(scaled >= lowest, scaled, -jnp.inf), axis=-1)
    return jnp.where(jnp.asarray(temperature) == 0, jnp.argmax(logits, axis=-1), drawn)
