"""What jssl's own convolution and linear layer save: the value and both gradients against XLA's, in turn.

    python -m benchmarks.layers

Compiled as the training step is. The maps are those of the last stages of a small ResNet on images of 32
pixels; the first one, which is not smaller than its kernel, is left to XLA by both. The linear layers are
those of a block of a vision transformer 192 wide, on 256 images of 64 tokens, behind and before an operation
that takes each value.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp

from jssl import platform
from jssl.nn.convolution import convolve
from jssl.nn.dense import product

MAPS = (
    ((4, 4, 64), 64, 1),
    ((4, 4, 64), 128, 2),
    ((2, 2, 128), 128, 1),
    ((1, 1, 256), 256, 1),
)
"""Map, output channels and stride of 3x3 convolutions."""

SIZES = ((192, 576), (192, 192), (192, 768), (768, 192))
"""Inputs and outputs of linear layers."""

Case = tuple[str, tuple[Callable, Callable], tuple[jax.Array, ...]]


def main() -> None:
    """Print milliseconds of both, and their ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=10)
    arguments = parser.parse_args()
    platform.configure()
    for name, functions, inputs in [*convolutions(), *linear_layers()]:
        xla, own = medians(functions, inputs, arguments.rounds)
        print(f"{name:44} XLA {1e3 * xla:7.1f} ms, own {1e3 * own:6.1f} ms, ratio {xla / own:5.1f}")


def convolutions() -> Iterator[Case]:
    """Of 512 maps."""
    for (height, width, inputs), outputs, stride in MAPS:
        x = jax.random.normal(jax.random.key(0), (512, height, width, inputs))
        kernel = jax.random.normal(jax.random.key(1), (3, 3, inputs, outputs))
        name = f"{height}x{width}, {inputs} to {outputs} channels, stride {stride}"
        yield name, (squared(jax.lax.conv_general_dilated, stride), squared(convolve, stride)), (x, kernel)


def squared(convolution: Callable, stride: int) -> Callable:
    """The sum of the outputs' squares."""
    options: dict = {"dimension_numbers": ("NHWC", "HWIO", "NHWC"), "precision": None}
    return lambda x, k: jnp.sum(convolution(x, k, (stride, stride), [(1, 1), (1, 1)], **options) ** 2)


def linear_layers() -> Iterator[Case]:
    """Of 256 images of 64 tokens."""

    def total(dense: Callable) -> Callable:
        return lambda x, k: jnp.sum(jnp.tanh(dense(jnp.tanh(x), k)))

    for inputs, outputs in SIZES:
        x = jax.random.normal(jax.random.key(0), (256, 64, inputs))
        kernel = jax.random.normal(jax.random.key(1), (inputs, outputs))
        yield f"linear, {inputs} to {outputs}", (total(jnp.matmul), total(product)), (x, kernel)


def medians(functions: tuple[Callable, Callable], inputs: tuple[jax.Array, ...], rounds: int) -> list[float]:
    """Seconds of the value and gradients by XLA's layer and by jssl's."""
    options = platform.step_options(jax.default_backend())
    compiled = [
        jax.jit(jax.value_and_grad(total, (0, 1))).lower(*inputs).compile(compiler_options=options)
        for total in functions
    ]
    times: list[list[float]] = [[], []]
    for _ in range(rounds + 1):
        for function, found in zip(compiled, times, strict=True):
            start = time.perf_counter()
            jax.block_until_ready(function(*inputs))
            found.append(time.perf_counter() - start)
    return [statistics.median(found[1:]) for found in times]


if __name__ == "__main__":
    main()
