"""Self-supervised learning in JAX: pure functions, one experiment file, one command to a measured encoder."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jssl import core, data, evals, experiment, losses, methods, nn, ops, platform, pretext, report, train
    from jssl.experiment import Experiment, Run, load, run

__all__ = [
    "Experiment",
    "Run",
    "core",
    "data",
    "evals",
    "experiment",
    "load",
    "losses",
    "methods",
    "nn",
    "ops",
    "platform",
    "pretext",
    "report",
    "run",
    "train",
]


def __getattr__(name: str) -> Any:
    """Import at first use: a process that only reads data (`jssl.data`) never pays for JAX."""
    if name not in __all__:
        raise AttributeError(f"module 'jssl' has no attribute {name!r}")
    if name in ("Experiment", "Run", "load", "run"):
        return getattr(importlib.import_module("jssl.experiment"), name)
    return importlib.import_module(f"jssl.{name}")
