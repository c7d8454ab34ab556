"""Over devices: a mesh of two axes; the batch is cut along both, the state along one at most.

Both axes hold shares of the batch. Along "data" each device has all of the state; along "fsdp" (fully sharded
data parallelism) the large arrays of the state are cut, and XLA gathers each where the step needs it.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jssl.core import Batch

AXES = ("data", "fsdp")

LARGE = 2**14
"""Elements: an array of so many is cut along "fsdp"; smaller ones aren't worth the gathering."""

T = TypeVar("T")


def parse_mesh(words: str) -> dict[str, int]:
    """The sizes of a mesh's axes from "data=2,fsdp=4", in any order; an axis that isn't named has 1.

    Raises:
        ValueError: for any other form.
    """
    sizes = dict.fromkeys(AXES, 1)
    named = [word.partition("=") for word in words.split(",")]
    names = [name.strip() for name, _, _ in named]
    if not set(names) <= set(AXES) or len(set(names)) < len(names):
        raise _not_a_mesh(words)
    for name, (_, _, size) in zip(names, named, strict=True):
        if not size.strip().isdigit() or int(size) < 1:
            raise _not_a_mesh(words)
        sizes[name] = int(size)
    return sizes


def _not_a_mesh(words: str) -> ValueError:
    return ValueError(
        f"Expected a mesh of the axes data and fsdp, as data=8 or data=2,fsdp=4, got {words!r}: data counts "
        "the copies of the state, fsdp the devices that share one."
    )


def device_mesh(devices: Sequence[jax.Device] | None = None, *, fsdp: int = 1) -> Mesh:
    """The mesh over the devices given, or over all.

    Args:
        devices: their number is a multiple of `fsdp`.
        fsdp: devices that share one copy of the state.

    Raises:
        ValueError: the axes can't be laid along the sides of a TPU slice.
    """
    devices = jax.devices() if devices is None else devices
    if fsdp < 1 or len(devices) % fsdp:
        raise ValueError(f"Expected fsdp to divide the {len(devices)} devices, got fsdp={fsdp}.")
    shape = (len(devices) // fsdp, fsdp)
    try:
        return jax.make_mesh(shape, AXES, axis_types=(AxisType.Auto,) * 2, devices=devices)
    except NotImplementedError as error:
        raise ValueError(
            f"A mesh of data={shape[0]},fsdp={shape[1]} does not follow the sides of this slice: each axis "
            "is a product of some of them, on 4x4x8 data=4,fsdp=32 or data=16,fsdp=8."
        ) from error


def replicated(mesh: Mesh) -> NamedSharding:
    """The placement of what is whole on each device."""
    return NamedSharding(mesh, PartitionSpec())


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """The placement of a batch: cut along its leading dimension, over all devices."""
    return NamedSharding(mesh, PartitionSpec(AXES))


def state_sharding(mesh: Mesh, shapes: T) -> T:
    """The placement of each array of the train state, by its size alone.

    A large array (`LARGE`) is cut along "fsdp" in its longest dimension that divides evenly, the last one of
    equals; the others are whole on each device. Parameters, their averages and the optimizer's moments have
    the same shapes, and so the same cuts.

    Args:
        mesh: of `device_mesh`.
        shapes: a tree of arrays or of their shapes.
    """
    size = mesh.shape["fsdp"]

    def place(x: jax.ShapeDtypeStruct) -> NamedSharding:
        even = [axis for axis, length in enumerate(x.shape) if length % size == 0]
        if size == 1 or math.prod(x.shape) < LARGE or not even:
            return replicated(mesh)
        cut = max(even, key=lambda axis: (x.shape[axis], axis))
        return NamedSharding(
            mesh, PartitionSpec(*(["fsdp" if axis == cut else None for axis in range(cut + 1)]))
        )

    return jax.tree.map(place, shapes)


def check_batch_size(batch_size: int, *, num_devices: int, num_processes: int = 1) -> None:
    """Raise ValueError unless each device and each process can get an equal share of the batch."""
    shares = max(num_devices, num_processes)
    if batch_size < 1 or batch_size % shares:
        nearest = max(shares, batch_size // shares * shares)
        raise ValueError(
            f"The batch must divide evenly: expected a batch size that is a multiple of {shares} "
            f"({num_devices} devices, {num_processes} processes), got {batch_size}. "
            f"Use {nearest} or {nearest + shares}, or another --mesh."
        )


def put_batch(batch: Mapping[str, np.ndarray], sharding: NamedSharding) -> Batch:
    """This process's rows of the global batch to its devices; the result is the global batch."""
    return {
        name: jax.make_array_from_process_local_data(sharding, np.asarray(rows))
        for name, rows in batch.items()
    }
