"""The league: every method with one small encoder, 10,000 images of CIFAR-10 and one budget of steps.

    python -m benchmarks.league --data-dir ~/tensorflow_datasets --seeds 3 --steps 780 --out runs/league

A method is an experiment of `experiments/*_cifar10.py` in its small preset, run by its own command in its own
process. Runs that are finished are not repeated, so that an interrupted league goes on. Convolutional
methods share one narrow ResNet, masked ones one narrow ViT; each stands beside raw pixels and its own encoder
untrained. A star marks methods of which a run warned of a collapse.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent

COLUMNS = {
    "kNN": "knn/accuracy",
    "1,000 labels": "linear/1000/accuracy",
    "all labels": "linear/all/accuracy",
}
"""The accuracies of the table and where a run's results have them."""


def main() -> None:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-dir", required=True, help="where TFDS prepared CIFAR-10")
    parser.add_argument("--methods", nargs="+", default=sorted(experiments()), choices=sorted(experiments()))
    parser.add_argument("--seeds", type=int, default=3, help="seeds 0, 1, ... of each method")
    parser.add_argument("--steps", type=int, default=780, help="training steps of 256 images")
    parser.add_argument("--out", type=Path, default=Path("runs/league"), help="folder of the runs")
    arguments = parser.parse_args()
    rows = {name: [] for name in arguments.methods}
    for seed in range(arguments.seeds):
        for name, found in rows.items():
            folder = arguments.out / f"{name}-{arguments.steps}-{seed}"
            found.append(measured(name, folder, arguments.data_dir, seed, arguments.steps))
            print(line(f"{name}, seed {seed}", [found[-1]]), flush=True)
    print("\n" + table(rows))


def experiments() -> dict[str, Path]:
    """Files of experiments on CIFAR-10 by method."""
    return {path.stem.removesuffix("_cifar10"): path for path in (ROOT / "experiments").glob("*_cifar10.py")}


def measured(name: str, folder: Path, data_dir: str, seed: int, steps: int) -> dict[str, Any]:
    """One run's figures; it is run if it has not been."""
    summary = folder / "league.json"
    if not summary.is_file():
        command = [sys.executable, "-m", f"experiments.{name}_cifar10", "--preset", "small"]
        options = {"--data-dir": data_dir, "--seed": seed, "--steps": steps, "--run-dir": folder}
        words = [str(word) for option in options.items() for word in option]
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "league.log").open("w") as log:
            process = subprocess.Popen([*command, *words], cwd=ROOT, stdout=log, stderr=log)
            _, status, usage = os.wait4(process.pid, 0)
        if status:
            sys.exit(f"{name} ended with status {os.waitstatus_to_exitcode(status)}: see {log.name}")
        summary.write_text(json.dumps(figures(folder) | {"memory": usage.ru_maxrss * 1024}))
    return json.loads(summary.read_text())


def figures(folder: Path) -> dict[str, Any]:
    """What the run's folder tells: accuracies, RankMe, speed, and warnings."""
    results = json.loads((folder / "results.json").read_text())
    rows = results["rows"]
    logged = [json.loads(row) for row in (folder / "metrics.jsonl").read_text().splitlines()]
    speeds = [row["time/examples_per_second"] for row in logged if "time/examples_per_second" in row]
    return {
        "accuracy": {name: rows[measure] for name, measure in COLUMNS.items()},
        "rankme": rows["collapse/rankme"]["trained"],
        "speed": statistics.median(speeds),
        "warnings": results["warnings"],
    }


def table(rows: dict[str, list[dict[str, Any]]]) -> str:
    """Methods by falling kNN accuracy, means over seeds and their standard deviations."""
    first = next(iter(rows.values()))[0]["accuracy"]
    raw = "  ".join(f"{name} {100 * values['raw pixels']:.1f}" for name, values in first.items())
    header = f"{'accuracy in %':24}" + "".join(f"{name:>16}" for name in COLUMNS)
    header += f"{'kNN untrained':>16}{'RankMe':>9}{'images/s':>10}{'memory':>9}"
    ranked = sorted(rows.items(), key=lambda item: -mean(knn(run, "trained") for run in item[1]))
    return "\n".join([f"raw pixels: {raw}", header, *(line(name, runs) for name, runs in ranked)])


def line(name: str, runs: list[dict[str, Any]]) -> str:
    """One method's row."""
    cells = [spread([run["accuracy"][column]["trained"] for run in runs]) for column in COLUMNS]
    cells.append(spread([knn(run, "untrained") for run in runs]))
    collapsed = " *" if any(run["warnings"] for run in runs) else ""
    rank, speed = (mean(run[figure] for run in runs) for figure in ("rankme", "speed"))
    memory = max(run["memory"] for run in runs) / 2**30
    return (
        f"{name:24}"
        + "".join(f"{x:>16}" for x in cells)
        + f"{rank:9.1f}{speed:10,.0f}{memory:7.1f} G{collapsed}"
    )


def knn(run: dict[str, Any], column: str) -> float:
    return run["accuracy"]["kNN"][column]


def mean(values: Any) -> float:
    return statistics.mean(list(values))


def spread(values: list[float]) -> str:
    """Mean and, from two values on, standard deviation, in percent."""
    several = f" ± {100 * statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{100 * mean(values):.1f}{several}"


if __name__ == "__main__":
    main()
