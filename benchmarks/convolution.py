"""What `nn.convolution.convolve` saves: a residual block's convolutions against those of XLA, in turn.

    python -m benchmarks.convolution

Each is compiled for its value and both gradients, as the training step is. The maps are those of the last
stages of a small ResNet on images of 32 pixels; the first one, which is not smaller than its kernel, is left
to XLA by both. On two busy cores: 1.0, 6.3, 12.6 and 3.6 times faster.
"""

import argparse
import statistics
import time

from jssl import platform

SHAPES = (
    ((4, 4, 64), 64, 1),
    ((4, 4, 64), 128, 2),
    ((2, 2, 128), 128, 1),
    ((1, 1, 256), 256, 1),
)
"""Map, output channels and stride of 3x3 convolutions."""


def main() -> None:
    """Print milliseconds of both, and their ratio, for each shape."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch-size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=10)
    arguments = parser.parse_args()
    platform.configure()
    for (height, width, inputs), outputs, stride in SHAPES:
        shape = (arguments.batch_size, height, width, inputs)
        xla, own = medians(shape, outputs, stride, arguments.rounds)
        name = f"{height}x{width}, {inputs} to {outputs} channels, stride {stride}"
        print(f"{name:40} XLA {1e3 * xla:7.1f} ms, own {1e3 * own:6.1f} ms, ratio {xla / own:5.1f}")


def medians(shape: tuple[int, ...], outputs: int, stride: int, rounds: int) -> tuple[float, float]:
    """Seconds of the value and gradients by XLA's convolution and by jssl's."""
    import jax
    import jax.numpy as jnp

    from jssl.nn.convolution import convolve

    x = jax.random.normal(jax.random.key(0), shape)
    kernel = jax.random.normal(jax.random.key(1), (3, 3, shape[-1], outputs))
    options = {"dimension_numbers": ("NHWC", "HWIO", "NHWC"), "precision": None}

    def compiled(convolution):
        def total(x, kernel):
            return jnp.sum(convolution(x, kernel, (stride, stride), [(1, 1), (1, 1)], **options) ** 2)

        lowered = jax.jit(jax.value_and_grad(total, (0, 1))).lower(x, kernel)
        return lowered.compile(compiler_options=platform.step_options(jax.default_backend()))

    functions = [compiled(convolution) for convolution in (jax.lax.conv_general_dilated, convolve)]
    times: list[list[float]] = [[], []]
    for _ in range(rounds + 1):
        for function, found in zip(functions, times, strict=True):
            start = time.perf_counter()
            jax.block_until_ready(function(x, kernel))
            found.append(time.perf_counter() - start)
    xla, own = (statistics.median(found[1:]) for found in times)
    return xla, own


if __name__ == "__main__":
    main()
