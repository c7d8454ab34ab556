"""An experiment file's way in: one typed function, one command. `Experiment` says what a run is made of."""

import math
import sys
from collections.abc import Sequence

import jax

from jssl import hosts, options, platform
from jssl.locate import Factory, documentation, find, source
from jssl.run_folder import Origin
from jssl.runner import Run, load, run, weights_of
from jssl.spec import Experiment
from jssl.train import Interrupted, NonFiniteLoss, parse_mesh

__all__ = ["Experiment", "Factory", "Run", "find", "load", "main", "run", "weights_of"]

OWN: dict[str, options.Option] = {
    "run_dir": (
        str | None,
        None,
        "Folder of the run; runs/NAME if not given. A run that is in it is gone on with.",
    ),
    "mesh": options.MESH,
    "profile": (bool, False, "Record a few steps in the folder's profile/, for TensorBoard or Perfetto."),
    "coordinator": (
        str | None,
        None,
        "HOST:PORT of the first of several processes, where no cluster tells it.",
    ),
    "process": (str | None, None, "INDEX/COUNT of this one of several processes, with --coordinator."),
}
"""The options of every run."""


def main(factory: Factory, args: Sequence[str] | None = None) -> None:
    """Run an experiment from the command line; its function's arguments are the options.

    Ends the process with a message and a status other than 0 if the run can't be made, breaks or is stopped.
    """
    try:
        arguments, own = options.parse(factory, args, OWN)
        mesh = own["mesh"]
        num = math.prod(parse_mesh(mesh).values()) if mesh else None
        processes = hosts.join(own["coordinator"], own["process"])
        platform.configure(devices=num and num // processes)
        with hosts.first_speaks():
            experiment = factory(**arguments)
            origin = Origin(arguments, source(factory), documentation(factory).split("\n")[0])
            run(experiment, run_dir=own["run_dir"], mesh=mesh, profile=own["profile"], origin=origin)
    except (ValueError, NonFiniteLoss) as error:
        hosts.leave(f"error: {error}")
    except OSError as error:
        hosts.leave(f"error: {error}. What was saved before is whole: mend it, and the same command goes on.")
    except jax.errors.JaxRuntimeError as error:
        if hosts.alone():
            raise
        hosts.leave(hosts.lost(error))
    except Interrupted as stopped:
        sys.stderr.write(f"{stopped}\n")
        sys.exit(128 + stopped.signum)
