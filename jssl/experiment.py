"""An experiment: data, method, optimizer and evaluations, named by one typed function, run by one command."""

import importlib.util
import inspect
import sys
import typing
from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass, field, make_dataclass
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import optax
import tyro

from jssl import platform
from jssl.core import Method
from jssl.data import DataSet
from jssl.evals import Eval
from jssl.run_folder import Origin
from jssl.train import Interrupted, NonFiniteLoss


@dataclass(frozen=True)
class Experiment:
    """All that a run is made of.

    Attributes:
        name: also the default run folder's.
        data: training examples and, for the evaluations, test examples.
        method: the pretext task.
        optimizer: any optax transformation.
        steps: the training's length.
        batch_size: examples in the global batch.
        seed: of everything random: parameters, order of the data, transforms, evaluations.
        evals: what is measured, while training or after it.
        refresh_every: steps between two calls of the method's `refresh`.
        log_every: steps between two rows of metrics.
        save_every: steps between two checkpoints.
        keep: how many of the newest checkpoints stay.
        score: the checkpoint whose latest metrics score highest stays too.
        fusion: see `jssl.platform.xla_flags`.
    """

    name: str
    data: DataSet
    method: Method
    optimizer: optax.GradientTransformation
    steps: int
    batch_size: int
    seed: int = 0
    evals: tuple[Eval, ...] = ()
    refresh_every: int | None = None
    log_every: int = 10
    save_every: int = 200
    keep: int = 2
    score: Callable[[dict[str, float]], float] | None = None
    fusion: tuple[str, ...] = ("DOT", "ELTWISE", "REDUCE")

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "log_every", "save_every", "keep"):
            if getattr(self, name) < 1:
                raise ValueError(f"An experiment's {name} is at least 1, got {getattr(self, name)}.")


Factory = Callable[..., Experiment]


def main(factory: Factory, args: Sequence[str] | None = None) -> None:
    """Run an experiment from the command line; its function's arguments are the options.

    Ends the process with a message and a status other than 0 if the run can't be made, breaks or is stopped.
    """
    # The runner imports this module.
    from jssl.runner import run

    try:
        arguments, run_dir, devices = _parse(factory, args)
        experiment = factory(**arguments)
        platform.configure(devices=devices, fusion=experiment.fusion)
        run(experiment, run_dir=run_dir, devices=devices, origin=_origin(factory, arguments))
    except (ValueError, NonFiniteLoss) as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {error}. What was saved before is whole; the same command goes on from there.")
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
    options.__doc__ = _documentation(factory)
    chosen = dict(vars(tyro.cli(options, prog=factory.__name__, args=args)))
    return chosen, chosen.pop("run_dir"), chosen.pop("devices")


def _documentation(factory: Factory) -> str:
    return (factory.__doc__ or inspect.getdoc(inspect.getmodule(factory)) or "").strip()


def _origin(factory: Factory, arguments: dict[str, Any]) -> Origin:
    path = Path(inspect.getsourcefile(factory) or "").absolute()
    if path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    description = _documentation(factory).split("\n")[0]
    return Origin(arguments, f"{path}:{factory.__name__}", description)


def find(path: str | Path, name: str | None = None) -> Factory:
    """The experiment function in a file.

    Args:
        path: of a Python file.
        name: the function; by default the one named like the file.

    Raises:
        ValueError: no such file, or no such function in it.
    """
    path = Path(path)
    name = name or path.stem
    if not path.is_file():
        raise ValueError(
            f"Expected the path of an experiment's Python file, got {str(path)!r}: no such file."
        )
    factory = getattr(_import(path), name, None)
    if not callable(factory):
        raise ValueError(
            f"{path} has no function {name!r}: an experiment file defines one named like itself."
        )
    return typing.cast(Factory, factory)


def _import(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    # Experiments import what they share from the folder that holds `experiments`.
    sys.path.insert(0, str(path.absolute().parent.parent))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.pop(0)
    return module
