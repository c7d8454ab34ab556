"""Masks of parameters by their names: which decay, which are embeddings of tokens."""

from collections.abc import Callable

import jax

from jssl.core import Tree


def kernels(params: Tree) -> Tree:
    """A mask for `optax.adamw(mask=...)`: true for the weights of linear and convolution layers.

    Norms, biases, tokens and embeddings are left alone. It goes by the name that Flax gives ("kernel"), not
    by rank, which would take the scales of stacked norms for matrices.
    """
    return _named(params, lambda name: name == "kernel")


def weights(params: Tree) -> Tree:
    """A mask for `optax.adamw(mask=...)`: true for all but norms and biases, as language models have it.

    Embeddings decay too.
    """
    return _named(params, lambda name: name != "scale" and not name.endswith("bias"))


def token_embeddings(params: Tree) -> Tree:
    """A mask for `optax.masked`: true for the token embeddings of text networks."""
    return _named(params, lambda name: name == "tokens")


def _named(params: Tree, chosen: Callable[[str], bool]) -> Tree:
    return jax.tree_util.tree_map_with_path(
        lambda path, _: chosen(jax.tree_util.keystr(path[-1:], simple=True)), params
    )
