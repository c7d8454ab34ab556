"""Data parallelism: one mesh over all devices, the batch cut along it, the state on each of them."""

from collections.abc import Mapping, Sequence

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jssl.core import Batch


def data_mesh(devices: Sequence[jax.Device] | None = None) -> Mesh:
    """A mesh with the one axis "data" over the devices given, or over all."""
    devices = jax.devices() if devices is None else devices
    return jax.make_mesh((len(devices),), ("data",), axis_types=(AxisType.Auto,), devices=devices)


def replicated(mesh: Mesh) -> NamedSharding:
    """The placement of the train state: whole, on each device."""
    return NamedSharding(mesh, PartitionSpec())


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """The placement of a batch: cut along its leading dimension."""
    return NamedSharding(mesh, PartitionSpec("data"))


def check_batch_size(batch_size: int, *, num_devices: int, num_processes: int = 1) -> None:
    """Raise ValueError unless each device and each process can get an equal share of the batch."""
    shares = max(num_devices, num_processes)
    if batch_size < 1 or batch_size % shares:
        nearest = max(shares, batch_size // shares * shares)
        raise ValueError(
            f"The batch must divide evenly: expected a batch size that is a multiple of {shares} "
            f"({num_devices} devices, {num_processes} processes), got {batch_size}. "
            f"Use {nearest} or {nearest + shares}, or other --devices."
        )


def put_batch(batch: Mapping[str, np.ndarray], sharding: NamedSharding) -> Batch:
    """This process's rows of the global batch to its devices; the result is the global batch."""
    return {
        name: jax.make_array_from_process_local_data(sharding, np.asarray(rows))
        for name, rows in batch.items()
    }
