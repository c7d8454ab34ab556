"""Which parameters weight decay is for."""

import jax

from jssl.core import Tree


def kernels(params: Tree) -> Tree:
    """A mask for `optax.adamw(mask=...)`: true for the weights of linear and convolution layers.

    Norms, biases, tokens and embeddings are left alone. It goes by the name that Flax gives ("kernel"), not
    by rank, which would take the scales of stacked norms for matrices.
    """
    return jax.tree_util.tree_map_with_path(
        lambda path, _: jax.tree_util.keystr(path[-1:], simple=True) == "kernel", params
    )
