"""Less memory for the same result: what the forward pass made is computed again for the gradient."""

from collections.abc import Callable
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray

from jssl.core import Encoder, Tree, Variables

Saved = Literal["nothing", "dots", "dots_with_no_batch_dims"]
"""What is kept for the gradient: nothing, the results of matrix products, or of those with parameters."""


def policy(saved: Saved) -> Callable[..., Any]:
    """The policy of `jax.checkpoint` by its name, without "_saveable"."""
    if saved not in get_args(Saved):
        raise ValueError(f"expected one of {', '.join(get_args(Saved))} to be saved, got {saved!r}")
    return getattr(jax.checkpoint_policies, f"{saved}_saveable")


def in_pieces(encoder: Encoder, num: int, *, saved: Saved = "nothing") -> Encoder:
    """The encoder on `num` parts of the batch, one after the other: memory for the activations of one part.

    The features are those of the whole batch, so that a loss may couple all of its examples, as contrastive
    ones do; its gradient goes through the parts once more. Exact, but for batch norm: each part has its own
    statistics, as each device has in most other libraries, and the running ones pass through all parts.

    Args:
        encoder: of a batch, or a tree of batches.
        num: parts; they divide the batch of each device evenly, or examples move between devices.
        saved: what of a part is kept nevertheless, see `Saved`.

    Raises:
        ValueError: in `apply`, if the parts don't divide the batch.

    Reference: Gao et al., 2021, arXiv 2101.06983: the gradient of embeddings is cached, then that of each
    part computed; here automatic differentiation does it.
    """
    if num < 1:
        raise ValueError(f"expected 1 part or more, got num={num}")
    keep = policy(saved)

    def apply(
        variables: Variables, x: Any, *, train: bool, key: PRNGKeyArray | None = None
    ) -> tuple[Any, Tree]:
        size = jax.tree.leaves(x)[0].shape[0]
        if size % num:
            raise ValueError(f"expected a batch that {num} parts divide, got {size} examples")

        def run(stats: Tree, part: tuple[jax.Array, Any]) -> tuple[Tree, Any]:
            index, examples = part
            own_key = None if key is None else jax.random.fold_in(key, index)
            own = Variables(variables.params, stats)
            features, stats = encoder.apply(own, examples, train=train, key=own_key)
            return stats, features

        # Every num-th example, so that each part has a share on each device.
        parts = jax.tree.map(lambda x: x.reshape(size // num, num, *x.shape[1:]).swapaxes(0, 1), x)
        stats, features = jax.lax.scan(
            jax.checkpoint(run, policy=keep, prevent_cse=False), variables.stats, (jnp.arange(num), parts)
        )
        return jax.tree.map(lambda y: y.swapaxes(0, 1).reshape(size, *y.shape[2:]), features), stats

    return Encoder(encoder.init, apply)
