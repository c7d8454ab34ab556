"""An experiment's arguments as options of a command, beside those that the command has itself."""

import inspect
import itertools
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, field, make_dataclass
from typing import Annotated, Any

import tyro

from jssl.locate import Factory, documentation

Option = tuple[Any, Any, str]
"""Its type, its default, its help."""

MESH: Option = (
    str | None,
    None,
    "Devices to use, as data=8 or data=2,fsdp=4: copies of the state, and devices that share one; all, with "
    "a copy each, if not given. A CPU simulates as many.",
)


def parse(
    factory: Factory, args: Sequence[str] | None, own: Mapping[str, Option]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arguments of the experiment's function, and those of the command itself.

    Args:
        factory: whose parameters, with their types, defaults and docstring, are options.
        args: what follows the command; None: of this process.
        own: the command's further options by name.
    """
    hints = typing.get_type_hints(factory, include_extras=True)
    fields: list[Any] = [
        (p.name, hints[p.name], field(default=MISSING if p.default is p.empty else p.default))
        for p in inspect.signature(factory).parameters.values()
    ]
    fields += [
        (name, Annotated[kind, tyro.conf.arg(help=text)], field(default=default))
        for name, (kind, default, text) in own.items()
    ]
    options = make_dataclass("Options", fields, kw_only=True)
    options.__doc__ = documentation(factory)
    chosen = dict(vars(tyro.cli(options, prog=factory.__name__, args=args)))
    return chosen, {name: chosen.pop(name) for name in own}


def combinations(args: Sequence[str]) -> list[list[str]]:
    """The words of a command for every combination of values that stand in it with commas between them.

    A mesh has commas of its own.
    """
    values = []
    for before, word in itertools.pairwise(["", *args]):
        several = "," in word and not word.startswith("-") and before != "--mesh"
        values.append(word.split(",") if several else [word])
    return [list(words) for words in itertools.product(*values)]
