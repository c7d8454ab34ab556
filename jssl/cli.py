"""The `jssl` command: `jssl train FILE ...` and `jssl report RUN`."""

import sys
from collections.abc import Callable, Sequence

from jssl import experiment, report

USAGE = """usage: jssl COMMAND ...

  jssl train FILE [OPTIONS]   run the experiment in a Python file, or go on with it
  jssl report RUN             draw the page of a run's folder again
"""


def _train(args: Sequence[str]) -> None:
    if not args or args[0].startswith("-"):
        raise ValueError("Expected the path of an experiment's Python file: jssl train experiments/NAME.py")
    experiment.main(experiment.find(args[0]), args[1:])


def _report(args: Sequence[str]) -> None:
    if len(args) != 1:
        raise ValueError(f"Expected the folder of one run: jssl report runs/NAME; got {len(args)} arguments.")
    print(report.draw(args[0]))


COMMANDS: dict[str, Callable[[Sequence[str]], None]] = {"train": _train, "report": _report}


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
