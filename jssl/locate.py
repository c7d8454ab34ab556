"""From an experiment's function to the file it stands in, and back."""

import importlib.util
import inspect
import sys
import typing
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from jssl.spec import Experiment

Factory = Callable[..., Experiment]


def documentation(factory: Factory) -> str:
    """The function's docstring, else its module's."""
    return (factory.__doc__ or inspect.getdoc(inspect.getmodule(factory)) or "").strip()


def source(factory: Factory) -> str:
    """ "FILE:FUNCTION", with the file relative to where the command runs if it lies below."""
    path = Path(inspect.getsourcefile(factory) or "").absolute()
    if path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return f"{path}:{factory.__name__}"


def find(path: str | Path, name: str | None = None, *, above: Path | None = None) -> Factory:
    """The experiment function in a file.

    Args:
        path: of a Python file.
        name: the function; by default the one named like the file.
        above: a folder, from whose parents too a relative path may lead to the file.

    Raises:
        ValueError: no such file, or no such function in it.
    """
    path = Path(path)
    name = name or path.stem
    if above is not None and not path.is_file():
        path = next((parent / path for parent in above.absolute().parents if (parent / path).is_file()), path)
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
