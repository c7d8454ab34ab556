"""The runs of a sweep: which arguments they differ in, and whether one program can train them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from jssl.locate import Factory
from jssl.spec import Experiment

ALIKE = ("steps", "batch_size", "log_every", "save_every")
"""What the runs of one program have in common."""


class Member(NamedTuple):
    """One of the runs.

    Attributes:
        name: the arguments in which it differs, with their values: the name of its folder.
        arguments: of the experiment's function.
        experiment: what they make.
    """

    name: str
    arguments: dict[str, Any]
    experiment: Experiment


def varied(choices: Sequence[dict[str, Any]]) -> list[str]:
    """The arguments that differ between the choices."""
    return [name for name in choices[0] if any(choice[name] != choices[0][name] for choice in choices)]


def members(factory: Factory, choices: Sequence[dict[str, Any]]) -> list[Member]:
    """The runs that the choices of arguments make.

    Raises:
        ValueError: two are equal, or one program can't train them.
    """
    names = varied(choices)
    for name in names:
        if name != "seed" and not all(isinstance(choice[name], float) for choice in choices):
            values = ", ".join(str(choice[name]) for choice in choices)
            raise ValueError(
                "The runs of a sweep are one program: they may differ in the seed and in fractional numbers, "
                f"not in {name} ({values}). Start them one by one."
            )
    runs = [Member(_name(choice, names), choice, factory(**choice)) for choice in choices]
    if len({member.name for member in runs}) < len(runs):
        raise ValueError("Two runs of the sweep are equal: give each value once.")
    first = runs[0].experiment
    for name in ALIKE:
        if any(getattr(member.experiment, name) != getattr(first, name) for member in runs):
            raise ValueError(f"The runs of a sweep are one program: they can't differ in {name}.")
    if first.refresh_every is not None:
        raise ValueError(
            "This method is refreshed on the host between steps: its runs are not one program. Start them "
            "one by one."
        )
    return runs


def _name(choice: dict[str, Any], names: Sequence[str]) -> str:
    return ",".join(f"{name}={choice[name]}" for name in names) or "alone"
