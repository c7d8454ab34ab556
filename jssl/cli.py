"""The `jssl` command: `jssl train FILE ...`, `jssl plan`, `jssl sweep`, `jssl report`, ..."""

import sys
from collections.abc import Callable, Sequence

from jssl import experiment, generate, plan, report, search, sweep

USAGE = """usage: jssl COMMAND ...

  jssl train FILE [OPTIONS]   run the experiment in a Python file, or go on with it
  jssl plan FILE [OPTIONS]    what it needs and costs on the devices here, or on --topology v5e:16x16
  jssl sweep FILE [OPTIONS]   several runs in one program: --seed 0,1,2 --learning-rate 1e-3,3e-3
  jssl report RUN             draw the page of a run's folder again
  jssl generate RUN [OPTIONS] text from a run's language model: --prompt "In the beginning"
  jssl search RUN CORPUS      the lines of a text file nearest to a sentence: --query "a ship at sea"
"""


def _train(args: Sequence[str]) -> None:
    experiment.main(experiment.find(_file("train", args)), args[1:])


def _plan(args: Sequence[str]) -> None:
    plan.main(_file("plan", args), args[1:])


def _sweep(args: Sequence[str]) -> None:
    sweep.main(_file("sweep", args), args[1:])


def _file(command: str, args: Sequence[str]) -> str:
    if not args or args[0].startswith("-"):
        raise ValueError(
            f"Expected the path of an experiment's Python file: jssl {command} experiments/NAME.py"
        )
    return args[0]


def _report(args: Sequence[str]) -> None:
    if len(args) != 1:
        raise ValueError(f"Expected the folder of one run: jssl report runs/NAME; got {len(args)} arguments.")
    print(report.draw(args[0]))


COMMANDS: dict[str, Callable[[Sequence[str]], None]] = {
    "train": _train,
    "plan": _plan,
    "sweep": _sweep,
    "report": _report,
    "generate": generate.main,
    "search": search.main,
}


def main() -> None:
    """Run one command; ends the process with a message and a status other than 0 if it can't."""
    name, *args = sys.argv[1:] or ["--help"]
    if name in ("-h", "--help"):
        print(USAGE, end="")
        return
    if name not in COMMANDS:
        sys.exit(f"error: unknown command {name!r}; expected one of: {', '.join(COMMANDS)}.\n\n{USAGE}")
    try:
        COMMANDS[name](args)
    except ValueError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
