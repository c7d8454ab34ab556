"""Eight CPU devices, strict promotion, key-reuse checks and shape checks for every test."""

import os
from importlib import metadata
from pathlib import Path
from typing import Any

os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"
# XLA's newer generator of a CPU's code for fused operations takes most of a compilation, several times as
# long as the one before it. Runs in processes of their own have it, as users do. Not all versions know both.
if metadata.version("jaxlib").startswith("0.10."):
    os.environ["XLA_FLAGS"] += " --xla_cpu_use_fusion_emitters=false"
os.environ["JAX_PLATFORMS"] = "cpu"

from jaxtyping import install_import_hook

install_import_hook("jssl", "beartype.beartype")

import jax  # noqa: E402 - the hook comes first
import pytest  # noqa: E402
from xdist.scheduler import LoadScopeScheduling  # noqa: E402

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_debug_key_reuse", True)
# Compiling takes most of the time: this halves it. Runs in processes of their own are optimized in full.
jax.config.update("jax_disable_most_optimizations", True)
# What was compiled is kept for the next time; where there is none, writing it would take a fifth of the time.
if "CI" not in os.environ:
    jax.config.update("jax_compilation_cache_dir", str(Path(__file__).parent / ".jax_cache"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


SPLIT = ("test_conformance.py", "test_experiments.py", "test_resume.py", "test_hosts.py", "test_notebooks.py")
"""Files whose tests share what they compile with those of the same parameter only."""


class Groups(LoadScopeScheduling):
    """All tests of a file, or of one parameter, run in one process, since they share compilations."""

    def _split_scope(self, nodeid: str) -> str:
        file, _, test = nodeid.partition("::")
        return f"{file}[{test.partition('[')[2]}" if file.endswith(SPLIT) else file


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow ones first: begun last, they would leave one process waiting for the other."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Replaces the schedulers of pytest-xdist."""
    return Groups(config, log)
