"""An experiment file's way in: one typed function, one command. `Experiment` says what a run is made of."""

import inspect
import sys
import typing
from collections.abc import Sequence
from dataclasses import MISSING, field, make_dataclass
from typing import Annotated, Any

import tyro

from jssl import platform
from jssl.locate import Factory, documentation, find, source
from jssl.run_folder import Origin
from jssl.runner import Run, load, run
from jssl.spec import Experiment
from jssl.train import Interrupted, NonFiniteLoss

__all__ = ["Experiment", "Factory", "Run", "find", "load", "main", "run"]


def main(factory: Factory, args: Sequence[str] | None = None) -> None:
    """Run an experiment from the command line; its function's arguments are the options.

    Ends the process with a message and a status other than 0 if the run can't be made, breaks or is stopped.
    """
    try:
        arguments, run_dir, devices = _parse(factory, args)
        experiment = factory(**arguments)
        origin = Origin(arguments, source(factory), documentation(factory).split("\n")[0])
        platform.configure(devices=devices)
        run(experiment, run_dir=run_dir, devices=devices, origin=origin)
    except (ValueError, NonFiniteLoss) as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {error}. What was saved before is whole: mend it, and the same command goes on.")
    except Interrupted as stopped:
        sys.stderr.write(f"{stopped}\n")
        sys.exit(128 + stopped.signum)


def _parse(factory: Factory, args: Sequence[str] | None) -> tuple[dict[str, Any], str | None, int | None]:
    """The function's arguments, and the options that every run has."""
    hints = typing.get_type_hints(factory, include_extras=True)
    fields: list[Any] = [
        (p.name, hints[p.name], field(default=MISSING if p.default is p.empty else p.default))
        for p in inspect.signature(factory).parameters.values()
    ]
    folder = "Folder of the run; runs/NAME if not given. A run that is in it is gone on with."
    count = "How many devices to use; all if not given. A CPU simulates as many."
    fields += [
        ("run_dir", Annotated[str | None, tyro.conf.arg(help=folder)], field(default=None)),
        ("devices", Annotated[int | None, tyro.conf.arg(help=count)], field(default=None)),
    ]
    options = make_dataclass("Options", fields, kw_only=True)
    options.__doc__ = documentation(factory)
    chosen = dict(vars(tyro.cli(options, prog=factory.__name__, args=args)))
    return chosen, chosen.pop("run_dir"), chosen.pop("devices")
