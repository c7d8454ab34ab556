"""The league: every method with one small encoder, 10,000 images of CIFAR-10 and one budget of steps.

    python -m benchmarks.league --data-dir ~/tensorflow_datasets --seeds 3 --steps 390 --out runs/league \\
        --peer-python PYTHON_WITH_LIGHTLY

A method is an experiment of `experiments/*_cifar10.py` in its small preset, run by its own command in its own
process. Runs that are finished are not repeated, so that an interrupted league goes on. Convolutional
methods share one narrow ResNet, masked ones one narrow ViT; each stands beside raw pixels and its own encoder
untrained. A star marks methods of which a run warned of a collapse.

With `--peer-python`, seven of them are also trained by `league_lightly.py`, with lightly in PyTorch: the same
encoder, transforms, optimizer and number of steps (needs lightly, torchvision and timm there). Their features
are measured by the same evaluations. Memory is that of the largest process. Speed is the median of the logged
rates, of the peer the mean from its tenth step on; runs that share the machine, with `--jobs`, have none.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parent.parent

TWINS = ("simclr", "byol", "barlow_twins", "vicreg", "swav", "dino", "mae")
"""The methods of `league_lightly.py`."""

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
    parser.add_argument("--steps", type=int, default=390, help="training steps of 256 images")
    parser.add_argument("--out", type=Path, default=Path("runs/league"), help="folder of the runs")
    parser.add_argument("--peer-python", help="the Python that has lightly, for its twins of the methods")
    parser.add_argument("--jobs", type=int, default=1, help="runs side by side")
    arguments = parser.parse_args()
    if arguments.jobs > 1:
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    if arguments.peer_python:
        export_images(arguments)
    with ThreadPoolExecutor(arguments.jobs) as pool:
        started = [(row, pool.submit(reported, row, run)) for row, run in planned(arguments)]
    rows: dict[str, list[dict[str, Any]]] = {}
    for row, future in started:
        rows.setdefault(row, []).append(future.result())
    print("\n" + table(rows))


def planned(arguments: argparse.Namespace) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """Names of the table's rows, and what makes a run of each: seed by seed, every method, every twin."""
    for seed in range(arguments.seeds):
        for name in arguments.methods:
            folder = arguments.out / f"{name}-{arguments.steps}-{seed}"
            yield name, partial(measured, name, folder, arguments, seed)
            if arguments.peer_python and name in TWINS:
                folder = arguments.out / f"{name}-lightly-{arguments.steps}-{seed}"
                yield f"{name} (lightly)", partial(measured_peer, name, folder, arguments, seed)


def reported(row: str, run: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A run's figures, printed as well."""
    found = run()
    print(line(row, [found]), flush=True)
    return found


def experiments() -> dict[str, Path]:
    """Files of experiments on CIFAR-10 by method."""
    return {path.stem.removesuffix("_cifar10"): path for path in (ROOT / "experiments").glob("*_cifar10.py")}


def measured(name: str, folder: Path, arguments: argparse.Namespace, seed: int) -> dict[str, Any]:
    """One run's figures; it is run if it has not been."""
    command = [sys.executable, "-m", f"experiments.{name}_cifar10", "--preset", "small"]
    options = {"--data-dir": arguments.data_dir, "--steps": arguments.steps, "--run-dir": folder}
    return kept(folder, command, options | {"--seed": seed}, arguments.jobs, lambda: figures(folder))


def measured_peer(name: str, folder: Path, arguments: argparse.Namespace, seed: int) -> dict[str, Any]:
    """The same for lightly's twin."""
    images, features = export_images(arguments), folder / "features.npz"
    command = [arguments.peer_python, ROOT / "benchmarks" / "league_lightly.py", name, images]
    options = {"--steps": arguments.steps, "--out": features.resolve(), "--seed": seed}
    return kept(folder, command, options, arguments.jobs, lambda: peer_figures(features, images, seed))


def kept(
    folder: Path,
    command: list[Any],
    options: dict[str, Any],
    jobs: int,
    read: Callable[[], dict[str, Any]],
) -> dict[str, Any]:
    """The figures in the folder; if there are none, those that `read` finds after the command."""
    summary = folder / "league.json"
    if not summary.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        memory = execute(command, options, folder)
        found = read() | {"memory": memory}
        summary.write_text(json.dumps(found if jobs == 1 else found | {"speed": None}))
    return json.loads(summary.read_text())


def execute(command: list[Any], options: dict[str, Any], folder: Path) -> int:
    """Run to the end; the most memory of a process, in bytes."""
    words = [str(word) for word in (*command, *(x for option in options.items() for x in option))]
    with folder.with_name(f"{folder.name}.log").open("w") as log:
        process = subprocess.Popen(words, cwd=ROOT, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{words[1:4]} ended with status {os.waitstatus_to_exitcode(status)}: see {log.name}")
    return usage.ru_maxrss * 1024


def export_images(arguments: argparse.Namespace) -> Path:
    """The images and labels of the small preset in a file that needs no jssl to be read."""
    path = (arguments.out / "images.npz").resolve()
    if not path.is_file():
        from experiments import cifar10
        from jssl import data

        images = cifar10.setting("small", arguments.data_dir, epochs=1, batch_size=256).data
        assert images.test
        train, test = data.as_arrays(images.train), data.as_arrays(images.test)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(
            path,
            train=train["image"],
            train_labels=train["label"],
            test=test["image"],
            test_labels=test["label"],
        )
    return path


def peer_figures(features: Path, images: Path, seed: int) -> dict[str, Any]:
    """Features of another library by the evaluations, and the key for them, of the runs of jssl."""
    from experiments import cifar10
    from jssl import evaluation
    from jssl.evals import Split, diagnose
    from jssl.spec import keys_of

    found, labels = np.load(features), np.load(images)
    train, test = (Split(None, found[part], labels[f"{part}_labels"]) for part in ("train", "test"))
    measured = cifar10.evaluations(small=True, every=1)
    row = evaluation.measure(measured, keys_of(seed).evaluation, lambda _: (train, test))
    return {
        "accuracy": {name: {"trained": row[measure]} for name, measure in COLUMNS.items()},
        "rankme": row["collapse/rankme"],
        "speed": float(found["speed"]),
        "warnings": diagnose(row),
    }


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
    untrained = [knn(run, "untrained") for run in runs if "untrained" in run["accuracy"]["kNN"]]
    cells.append(spread(untrained) if untrained else "")
    row = f"{name:24}" + "".join(f"{x:>16}" for x in cells) + f"{mean(run['rankme'] for run in runs):9.1f}"
    speeds = [run["speed"] for run in runs if run["speed"]]
    row += f"{mean(speeds):10,.0f}" if speeds else f"{'-':>10}"
    row += f"{max(run['memory'] for run in runs) / 2**30:7.1f} G"
    return row + (" *" if any(run["warnings"] for run in runs) else "")


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
