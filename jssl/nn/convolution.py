"""A convolution for maps that shrink below its kernel."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float


def convolve(
    x: Float[Array, "batch height width channels"],
    kernel: Float[Array, "rows columns channels out"],
    strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    **options: Any,
) -> Float[Array, "batch new_height new_width out"]:
    """A plain convolution, for `flax.linen.Conv(conv_general_dilated=...)` without dilation and groups.

    Where the output is smaller than the kernel, as in the last stage for small images, it is a product of
    matrices over the patches under the kernel. XLA's CPU backend would go through such a convolution, and
    through its gradients, value by value, up to twelve times slower (`benchmarks/layers.py`).
    """
    height, width = (
        (size + sum(pad) - taps) // stride + 1
        for size, pad, taps, stride in zip(x.shape[1:3], padding, kernel.shape[:2], strides, strict=True)
    )
    if height >= kernel.shape[0] and width >= kernel.shape[1]:
        return lax.conv_general_dilated(x, kernel, strides, padding, **options)
    padded = jnp.pad(x, ((0, 0), *padding, (0, 0)))
    patches = [
        padded[:, i : i + strides[0] * height : strides[0], j : j + strides[1] * width : strides[1]]
        for i in range(kernel.shape[0])
        for j in range(kernel.shape[1])
    ]
    rows = jnp.concatenate(patches, axis=-1)
    return jnp.matmul(rows, kernel.reshape(-1, kernel.shape[-1]), precision=options["precision"])
