"""Several processes as one run: how they find each other, and which of them writes.

All of them compute the same program, each on its own devices with its share of every batch. The first one
writes the logs, the results and the page; checkpoints are written by all.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import NoReturn

import jax
from jax._src import cloud_tpu_init, distributed
from jax.experimental import multihost_utils


def join(coordinator: str | None = None, process: str | None = None) -> int:
    """Join the other processes of the run, where there are any; call it before the first array is made.

    By itself on TPU pods, under Slurm and Open MPI. In Kubernetes by the arguments: the pods of an
    indexed job may as well be runs of their own.

    Args:
        coordinator: "HOST:PORT" of the first process, which listens there.
        process: "INDEX/COUNT" of this process.

    Returns:
        The number of processes.

    Raises:
        ValueError: one argument without the other, or of another form.
    """
    if jax.distributed.is_initialized():
        return distributed.global_state.num_processes
    if coordinator is not None or process is not None:
        index, count = _parse(coordinator, process)
        jax.distributed.initialize(coordinator, count, index)
    elif _cluster():
        jax.distributed.initialize()
    return distributed.global_state.num_processes


def _parse(coordinator: str | None, process: str | None) -> tuple[int, int]:
    index, _, count = (process or "").partition("/")
    port = (coordinator or "").rpartition(":")[2]
    if not (index.isdigit() and count.isdigit() and int(index) < int(count) and port.isdigit()):
        raise ValueError(
            "Expected --coordinator HOST:PORT of the first process together with --process INDEX/COUNT, as "
            f"--coordinator 10.0.0.1:1234 --process 0/2, got {coordinator!r} and {process!r}."
        )
    return int(index), int(count)


def _cluster() -> bool:
    """Whether the environment tells of a cluster that JAX finds its way in."""
    sizes = [os.environ.get(name, "1") for name in ("SLURM_STEP_NUM_TASKS", "OMPI_COMM_WORLD_SIZE")]
    return any(size != "1" for size in sizes) or cloud_tpu_init.running_in_cloud_tpu_vm


def first() -> bool:
    """Whether this process writes."""
    return jax.process_index() == 0


def meet(name: str) -> None:
    """Wait until all processes are here."""
    if not alone():
        multihost_utils.sync_global_devices(name)


@contextlib.contextmanager
def first_speaks() -> Iterator[None]:
    """Within it, only the first process prints; errors are printed by each."""
    if distributed.global_state.process_id == 0:
        yield
        return
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        yield


def alone() -> bool:
    """Whether this is the only process."""
    return distributed.global_state.num_processes == 1


def leave(message: str) -> NoReturn:
    """End this process with a message and status 1; without waiting for the others, if there are any."""
    if alone():
        sys.exit(message)
    sys.stderr.write(f"{message}\n")
    sys.stderr.flush()
    os._exit(1)


def lost(error: Exception) -> str:
    """What to say when the connection to another process breaks."""
    reason = (str(error) or type(error).__name__).splitlines()[0][:200]
    return (
        f"error: another process of the run is gone, or its connection ({reason}). What was saved before is "
        "whole: start the same command again in every process, and the run goes on."
    )
