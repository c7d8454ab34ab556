"""Memory that NT-Xent with its gradient is compiled to, by batch: jssl's tiles against the whole matrix.

    python -m benchmarks.contrast_memory
    python -m benchmarks.contrast_memory --topology v5p:4x4x8 --devices 128 --batches 524288

Nothing is run, and no TPU is needed. Embeddings have 128 dimensions, float32, two for each example; the batch
is cut over the devices. Printed are the temporary arrays of a device, and those and its share of inputs and
results together.
"""

import argparse
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp

from benchmarks.contrast import DIM, plain, tiled
from jssl import plan, platform, train


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--topology", help="a TPU slice, as v5e:16x16; without it, the devices here")
    parser.add_argument("--devices", type=int, default=1, help="how many of them")
    parser.add_argument("--batches", type=int, nargs="+", default=[2**n for n in range(10, 17)])
    parser.add_argument("--plain", type=int, default=16_384, help="the largest batch for the whole matrix")
    arguments = parser.parse_args()
    devices = plan.topology(arguments.topology) if arguments.topology else jax.devices()
    mesh = train.device_mesh(devices[: arguments.devices])
    for batch in arguments.batches:
        line = f"{batch:8d} examples   tiles {described(tiled, batch, mesh)}"
        if batch <= arguments.plain:
            line += f"   matrix {described(plain, batch, mesh)}"
        print(line, flush=True)


def described(loss: Callable, batch: int, mesh: jax.sharding.Mesh) -> str:
    """Megabytes of a device."""
    views = jax.ShapeDtypeStruct((batch, DIM), jnp.float32, sharding=train.batch_sharding(mesh))
    started = time.perf_counter()
    with jax.set_mesh(mesh):
        lowered = jax.jit(jax.value_and_grad(loss, argnums=(0, 1))).lower(views, views)
        memory = lowered.compile(platform.step_options(mesh.devices.flat[0].platform)).memory_analysis()
    assert memory
    temporary = memory.temp_size_in_bytes
    total = temporary + memory.argument_size_in_bytes + memory.output_size_in_bytes
    seconds = time.perf_counter() - started
    return f"{temporary / 1e6:9.1f} MB, in all {total / 1e6:9.1f} MB (compiled in {seconds:.0f} s)"


if __name__ == "__main__":
    main()
