"""XLA's settings for each kind of device, put in place before JAX starts and never over the user's own.

`python -m jssl.platform` prints them.
"""

import ctypes
import os
import sys
from importlib import metadata
from pathlib import Path

import jax
from jax._src import xla_bridge

FUSION = "--xla_cpu_experimental_ynn_fusion_type"
"""Which operations XLA's CPU backend hands to its kernel library."""


def xla_flags(platform: str, *, fusion: tuple[str, ...] = ("DOT", "ELTWISE", "REDUCE")) -> tuple[str, ...]:
    """The flags that jssl sets for a kind of device.

    Args:
        platform: "cpu", "gpu" or "tpu".
        fusion: kinds of operation that the CPU's kernel library takes: "DOT" for attention, "DOT", "ELTWISE"
            and "REDUCE" for convolution with batch norm. Results are the same bits from run to run.

    Returns:
        Flags in the form of XLA_FLAGS. None for GPU and TPU, where XLA's defaults stand.
    """
    # XLA aborts the process at a flag that it doesn't know, so only the versions tested get it.
    known = metadata.version("jaxlib").startswith("0.10.")
    if platform != "cpu" or not known or not fusion:
        return ()
    return (f"{FUSION}=" + ",".join(f"LIBRARY_FUSION_TYPE_{kind}" for kind in fusion),)


def configure(
    *, devices: int | None = None, fusion: tuple[str, ...] = ("DOT", "ELTWISE", "REDUCE")
) -> tuple[str, ...]:
    """Set XLA's flags, and keep what it compiles for the next start; call it before the first array is made.

    Args:
        devices: on a CPU, how many devices to simulate; elsewhere the hardware decides.
        fusion: see `xla_flags`.

    Returns:
        The flags that were added: none if JAX runs already or the user has set them.
    """
    if xla_bridge.backends_are_initialized():
        return ()
    mine = os.environ.get("XLA_FLAGS", "")
    platform = (os.environ.get("JAX_PLATFORMS") or _default_platform()).split(",")[0]
    added = [flag for flag in xla_flags(platform, fusion=fusion) if flag.split("=")[0] not in mine]
    if devices is not None and platform == "cpu" and "xla_force_host_platform_device_count" not in mine:
        added.append(f"--xla_force_host_platform_device_count={devices}")
    os.environ["XLA_FLAGS"] = " ".join([mine, *added]).strip()
    if platform == "cpu":
        keep_memory()
    if jax.config.jax_compilation_cache_dir is None:  # type: ignore[attr-defined]
        jax.config.update("jax_compilation_cache_dir", str(Path.home() / ".cache" / "jssl" / "xla"))
    return tuple(added)


def keep_memory() -> bool:
    """Let the C library keep the memory of freed arrays for the next ones; whether that was possible.

    By default it gives large arrays back to the system at once, so that every step maps its temporary arrays
    anew and pays for the first touch of each page: a third of the CPU time of a small ResNet's step, and half
    of that of image transforms. The process keeps its peak memory instead. Linux with glibc only, and never
    over the user's own settings (MALLOC_* or GLIBC_TUNABLES in the environment).
    """
    mine = any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ)
    if mine or sys.platform != "linux":
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):
        return False
    # Numbers from malloc.h. One arena, since further ones hold 64 MiB at most and map what is larger.
    arena_max, mmap_threshold, trim_threshold = -8, -3, -1
    settings = ((arena_max, 1), (mmap_threshold, 2**30), (trim_threshold, 2**31 - 1))
    return all(library.mallopt(name, value) == 1 for name, value in settings)


def _default_platform() -> str:
    """The kind of device that JAX will choose, by the plugin that is installed."""
    installed = {name.lower() for name in (d.metadata["Name"] for d in metadata.distributions()) if name}
    if any(name.startswith("jax-cuda") for name in installed):
        return "gpu"
    return "tpu" if "libtpu" in installed and os.path.exists("/dev/accel0") else "cpu"


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
            f"({present[0].platform}). On a CPU, --devices simulates as many as it names if JAX has not "
            "started yet."
        )
    return present[:count]


if __name__ == "__main__":
    for name in ("cpu", "gpu", "tpu"):
        sys.stdout.write(f"{name}: {' '.join(xla_flags(name)) or '(as XLA has it)'}\n")
