"""`jssl sweep FILE --seed 0,1,2 --learning-rate 1e-3,3e-3 ...`: the command."""

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from jssl import options, platform, report
from jssl.locate import find
from jssl.sweep.train import sweep
from jssl.train import Interrupted

OWN: dict[str, options.Option] = {
    "run_dir": (
        str | None,
        None,
        "Folder of the sweep, with a folder for each run; runs/NAME_sweep if not given.",
    ),
}


def main(path: str, args: Sequence[str]) -> None:
    """Run the experiment in a file with every combination of the values that its options list by commas.

    Raises:
        ValueError: no such experiment, or the values don't make one program.
    """
    factory = find(path)
    parsed = [options.parse(factory, words, OWN) for words in options.combinations(args)]
    choices, own = [arguments for arguments, _ in parsed], parsed[0][1]
    platform.configure()
    folder = Path(own["run_dir"] or Path("runs") / f"{factory.__name__}_sweep")
    try:
        runs = sweep(factory, choices, folder)
    except Interrupted as stopped:
        sys.stderr.write(f"{stopped}\n")
        sys.exit(128 + stopped.signum)
    Console().print(_table({name: run.results for name, run in runs.items() if run is not None}))
    print(f"Sweep: {folder}   page: {report.draw_sweep(folder, list(runs))}")


def _table(results: dict[str, dict]) -> Table:
    """The evaluations of all runs, those of the trained encoders."""
    measures = list(dict.fromkeys(name for found in results.values() for name in found["rows"]))
    table = Table("run", *measures)
    for run, found in results.items():
        cells = (found["rows"].get(name, {}).get("trained") for name in measures)
        table.add_row(run, *("" if x is None else f"{x:.4g}" for x in cells))
    return table
