"""Runs an encoder over a whole array."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float


def embed_all(
    embed: Callable[[Any], Any], inputs: Any, *, batch_size: int = 512
) -> Float[np.ndarray, "n ..."]:
    """The outputs of `embed` for all inputs, batch by batch.

    The last batch is padded to the full size with copies of the last example and the surplus dropped, so that
    a jitted function is compiled once. An output is fetched while the next batch is computed.

    Args:
        embed: a jitted function `[batch, ...] -> [batch, ...]` that treats each example by itself.
        inputs: array with n examples along axis 0.
        batch_size: examples in each call.

    Returns:
        float32 array on the host, n examples along axis 0.

    Raises:
        ValueError: no inputs, or a batch size below 1.
    """
    if len(inputs) == 0 or batch_size < 1:
        raise ValueError(
            f"expected one input or more and a batch size of 1 or more, got {len(inputs)} inputs and "
            f"batch_size={batch_size}"
        )
    parts: list[np.ndarray] = []
    pending, surplus = None, 0
    for start in range(0, len(inputs), batch_size):
        batch = np.asarray(inputs[start : start + batch_size])
        surplus = batch_size - len(batch)
        padded = np.concatenate([batch, np.repeat(batch[-1:], surplus, axis=0)]) if surplus else batch
        computing = embed(padded)
        if pending is not None:
            parts.append(np.asarray(pending, np.float32))
        pending = computing
    parts.append(np.asarray(pending, np.float32)[: batch_size - surplus])
    return np.concatenate(parts)
