"""LARS: gradient descent whose step in each layer is a share of the layer's weights."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from jssl.core import Tree
from jssl.train.masks import kernels


def lars(
    learning_rate: optax.ScalarOrSchedule,
    *,
    weight_decay: float = 0.0,
    momentum: float = 0.9,
    trust_coefficient: float = 1e-3,
    clip: bool = False,
    mask: Callable[[Tree], Tree] | None = kernels,
) -> optax.GradientTransformation:
    """LARS, which leaves biases and norms alone, as SimCLR, BYOL, Barlow Twins, VICReg and MoCo v3 use it.

    Masked layers: `g <- g + weight_decay p`, then `g <- ratio g`, `ratio = trust_coefficient ||p|| / ||g||`.
    All layers: `v <- momentum v + g`, `p <- p - learning_rate v`.

    Args:
        learning_rate: a number or a schedule; the papers' are for a batch of 256 and grow with the batch.
        weight_decay: 0 or above, of the masked layers only.
        momentum: in [0, 1).
        trust_coefficient: above 0.
        clip: `ratio <- min(ratio / learning_rate, 1)`, so that the smaller of both scales the gradient, as in
            solo-learn's recipes for CIFAR, whose coefficient is 0.02.
        mask: parameters to a tree of booleans, true for the layers that are adapted and decayed; None: all
            of them, as in SwAV and DeepCluster-v2.

    Raises:
        ValueError: for numbers out of range.

    Deviations: as in the code of those methods, the gradient's norm is that after the decay, where the paper
    of LARS adds two norms; and momentum holds gradients, so that a new learning rate acts at once, where
    that of `optax.lars` holds steps. A layer or a gradient of zeros has the ratio 1.

    Reference: You, Gitman and Ginsburg, 2017, arXiv 1708.03888, algorithm 1; Chen et al., 2020, arXiv
    2002.05709, appendix B.6, and Grill et al., 2020, arXiv 2006.07733, section 3.3, for the exclusions.
    """
    if weight_decay < 0 or not 0 <= momentum < 1 or trust_coefficient <= 0:
        raise ValueError(
            "expected weight_decay of 0 or above, momentum in [0, 1) and trust_coefficient above 0, got "
            f"{weight_decay}, {momentum} and {trust_coefficient}"
        )
    chosen: Any = True if mask is None else mask
    limit = learning_rate if clip else None
    return optax.chain(
        optax.add_decayed_weights(weight_decay, chosen),
        optax.masked(_adapted(trust_coefficient, limit), chosen),
        optax.trace(momentum),
        optax.scale_by_learning_rate(learning_rate),
    )


def _adapted(coefficient: float, limit: optax.ScalarOrSchedule | None) -> optax.GradientTransformation:
    """Each gradient by its layer's ratio; the state is the number of steps, for the limit's schedule."""

    def init(params: Tree) -> Int[Array, ""]:
        return jnp.zeros((), jnp.int32)

    def update(
        gradients: Tree, count: Int[Array, ""], params: Tree | None = None
    ) -> tuple[Tree, Int[Array, ""]]:
        rate = limit(count) if callable(limit) else limit
        adapted = jax.tree.map(lambda g, p: g * _ratio(g, p, coefficient, rate), gradients, params)
        return adapted, count + 1

    return optax.GradientTransformation(init, update)


def _ratio(gradient: Array, weights: Array, coefficient: float, limit: Any) -> Float[Array, ""]:
    gradient_norm, norm = jnp.linalg.norm(gradient.ravel()), jnp.linalg.norm(weights.ravel())
    moves = (gradient_norm > 0) & (norm > 0)
    ratio = coefficient * norm / jnp.where(moves, gradient_norm, 1.0)
    if limit is not None:
        # A rate of 0, before the warm-up, makes this infinite.
        ratio = jnp.minimum(ratio / limit, 1.0)
    return jnp.where(moves, ratio, 1.0)
