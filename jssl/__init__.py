"""Self-supervised learning in JAX: pure functions, one experiment file, one command to a measured encoder."""

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
