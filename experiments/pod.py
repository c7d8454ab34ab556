"""Any experiment on all hosts of a pod: the same command on each of them, with folders that all of them see.

    python -m experiments.pod simclr_imagenet --data-dir /mnt/data --run-dir /mnt/runs/simclr

The hosts find each other as `jax.distributed.initialize` does, on TPU pods and under Slurm, Open MPI or
Kubernetes. Each reads its share of every batch; what is computed is the same as on one host.
"""

import sys
from pathlib import Path

import jax

from jssl import experiment


def main() -> None:
    """The first word is the name of an experiment in this folder; the others are its options."""
    name, *options = sys.argv[1:] or ["--help"]
    path = Path(__file__).with_name(f"{name}.py")
    if not path.is_file():
        sys.exit(f"{__doc__}\nerror: expected the name of an experiment in {path.parent}, got {name!r}")
    jax.distributed.initialize()
    experiment.main(experiment.find(path), options)


if __name__ == "__main__":
    main()
