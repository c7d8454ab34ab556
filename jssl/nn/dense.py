"""A linear layer whose gradient copies nothing."""

from functools import partial
from typing import Any

import jax
from flax import linen
from jax import lax
from jaxtyping import Array, Float


@jax.custom_vjp
def product(
    x: Float[Array, "*batch inputs"], kernel: Float[Array, "inputs outputs"]
) -> Float[Array, "*batch outputs"]:
    """`x @ kernel`, with the kernel's gradient written as `x' g`.

    JAX writes it as `(g' x)'`, for which XLA's CPU backend first copies all of `g` to its transpose: up to
    three tenths of a linear layer's time with its gradients (`benchmarks/layers.py`). Reverse mode only.
    """
    return _multiply(x, kernel)


def _multiply(x: Array, kernel: Array) -> Array:
    return lax.dot_general(x, kernel, (((x.ndim - 1,), (0,)), ((), ())))


def _forward(x: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
    # Not `product` itself, in which a policy of `jax.checkpoint` would not see the matrix product.
    return _multiply(x, kernel), (x, kernel)


def _backward(saved: tuple[Array, Array], g: Array) -> tuple[Array, Array]:
    x, kernel = saved
    rows_x, rows_g = x.reshape(-1, x.shape[-1]), g.reshape(-1, g.shape[-1])
    return (
        lax.dot_general(g, kernel, (((g.ndim - 1,), (1,)), ((), ()))),
        lax.dot_general(rows_x, rows_g, (((0,), (0,)), ((), ()))),
    )


product.defvjp(_forward, _backward)


def _as_dot_general(x: Array, kernel: Array, dimensions: Any, precision: None = None) -> Array:
    """`product` in the form that Flax calls; of a linear layer the dimensions are always the same."""
    return product(x, kernel)


Dense = partial(linen.Dense, dot_general=_as_dot_general)
"""`flax.linen.Dense` on `product`."""
