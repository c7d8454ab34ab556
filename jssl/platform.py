"""XLA's settings for each kind of device, never over the user's own.

Two kinds: flags for the whole process, set before JAX starts, and options for the compilation of one program,
the training step. `python -m jssl.platform` prints them.
"""

import ctypes
import os
import sys
from importlib import metadata
from pathlib import Path

import jax
from jax._src import hardware_utils, xla_bridge

FUSION = "xla_cpu_experimental_ynn_fusion_type"
"""Which operations XLA's CPU backend hands to its kernel library."""

ONCE = "xla_backend_optimization_level"
"""How much XLA optimizes the code of a CPU, from 0 to 3."""

KEPT = "jax_persistent_cache_min_compile_time_secs"
"""Programs that took so long to compile are kept; by default a second, so that small ones never are."""

HOST_DEVICES = "--xla_force_host_platform_device_count"


def step_options(platform: str, *, fusion: tuple[str, ...] = ("DOT", "REDUCE")) -> dict[str, str | bool]:
    """XLA's options for the training step, as `compile(compiler_options=...)` takes them.

    They are given to the step alone: XLA's kernel library refuses some programs, and there is no need for it
    in the rest.

    Args:
        platform: "cpu", "gpu" or "tpu".
        fusion: kinds of operation that the CPU's kernel library takes: "DOT", "ELTWISE", "REDUCE". Results
            are the same bits from run to run.

    Returns:
        Nothing for GPU and TPU, where XLA's defaults stand, and where the user's XLA_FLAGS name the option.
    """
    # XLA refuses an option that it doesn't know, so only the versions tested get it.
    known = metadata.version("jaxlib").startswith("0.10.")
    if platform != "cpu" or not known or not fusion or FUSION in os.environ.get("XLA_FLAGS", ""):
        return {}
    return {FUSION: ",".join(f"LIBRARY_FUSION_TYPE_{kind}" for kind in fusion)}


def once_options(platform: str) -> dict[str, int]:
    """XLA's options for a program that runs once, as the initial state does: quick to compile.

    On a CPU XLA optimizes it at level 1 of 3: loops of random numbers compile in a fraction of the time, and
    their values were the same bits wherever they were compared.

    Args:
        platform: "cpu", "gpu" or "tpu".

    Returns:
        Nothing for GPU and TPU, where XLA's defaults stand, where the user's XLA_FLAGS name the option, and
        where JAX is told to leave out most optimizations anyway.
    """
    mine = ONCE in os.environ.get("XLA_FLAGS", "") or jax.config.read("jax_disable_most_optimizations")
    return {} if platform != "cpu" or mine else {ONCE: 1}


def configure(*, devices: int | None = None) -> tuple[str, ...]:
    """Set XLA's flags, and keep what it compiles for the next start; call it before the first array is made.

    On a CPU also `keep_memory`.

    Args:
        devices: on a CPU, how many devices to simulate; elsewhere the hardware decides.

    Returns:
        The flags that were added: none if JAX runs already or the user has set them.
    """
    if xla_bridge.backends_are_initialized():
        return ()
    if jax.config.jax_compilation_cache_dir is None:  # type: ignore[attr-defined]
        jax.config.update("jax_compilation_cache_dir", str(Path.home() / ".cache" / "jssl" / "xla"))
        if KEPT.upper() not in os.environ and getattr(jax.config, KEPT) == 1:
            jax.config.update(KEPT, 0.1)
    if os.environ.get("JAX_PLATFORMS") == "cpu" or not _has_accelerator():
        keep_memory()
    mine = os.environ.get("XLA_FLAGS", "")
    added: tuple[str, ...] = ()
    if devices is not None and HOST_DEVICES not in mine:
        added = (f"{HOST_DEVICES}={devices}",)
        os.environ["XLA_FLAGS"] = " ".join([mine, *added]).strip()
    return added


def keep_memory() -> bool:
    """Let the C library keep the memory of freed arrays for the next ones; whether that was possible.

    By default it gives large arrays back to the system at once, so that every step maps its temporary arrays
    anew and pays for the first touch of each page: a quarter of the time of a small ViT's step, a third of
    the CPU time of a small ResNet's, and half of that of image transforms. The process keeps its peak memory
    instead. Linux with glibc only, and never over the user's own settings (MALLOC_* or GLIBC_TUNABLES in the
    environment).
    """
    mine = any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ)
    if mine or sys.platform != "linux":
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):
        return False
    # Numbers from malloc.h. One arena, since further ones hold 64 MiB at most and map what is larger; nothing
    # is mapped, however large; nothing given back.
    arena_max, mmap_max, trim_threshold = -8, -4, -1
    settings = ((arena_max, 1), (mmap_max, 0), (trim_threshold, -1))
    return all(library.mallopt(name, value) == 1 for name, value in settings)


def _has_accelerator() -> bool:
    """Whether JAX may find one; libtpu alone compiles for TPUs that are elsewhere."""
    tpus, _ = hardware_utils.num_available_tpu_chips_and_device_id()
    return bool(metadata.entry_points(group="jax_plugins")) or tpus > 0


def select_devices(count: int | None = None) -> list[jax.Device]:
    """The first `count` devices, or all.

    Raises:
        ValueError: there are fewer.
    """
    present = jax.devices()
    if count is None:
        return present
    if not 1 <= count <= len(present):
        raise ValueError(
            f"Asked for {count} devices, expected 1 to {len(present)}: JAX sees {len(present)} "
            f"({present[0].platform}). On a CPU, --mesh simulates as many as it names if JAX has not started "
            "yet."
        )
    return present[:count]


if __name__ == "__main__":
    for name in ("cpu", "gpu", "tpu"):
        sys.stdout.write(f"{name}: {step_options(name) or '(as XLA has it)'}\n")
