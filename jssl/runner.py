"""Runs an experiment: folder, devices, training, evaluation, page. Run it again and it goes on."""

import inspect
import json
import math
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from jssl import encoding, evaluation, hosts, platform, report, run_folder
from jssl.core import TrainState, Variables
from jssl.locate import find
from jssl.session import Session
from jssl.spec import Experiment
from jssl.train import check_batch_size, device_mesh, parse_mesh


class Run(NamedTuple):
    """A run that ended, or was loaded from its folder.

    Attributes:
        folder: where its files lie.
        experiment: what was run.
        state: the newest train state.
        embed: inputs (uint8, or float in [0, 1], or rows of tokens) to features, both NumPy.
        results: the evaluations: "columns", "rows", "warnings", "seconds"; empty before they were made.
    """

    folder: Path
    experiment: Experiment
    state: TrainState
    embed: Callable[..., np.ndarray]
    results: dict[str, Any]

    def encode(
        self, sentences: Iterable[str] | Iterable[Mapping[str, Any]], *, batch_size: int = 32, **options: Any
    ) -> Float[np.ndarray, "num dim"]:
        """The features of sentences, in their order; a run of text is a model that MTEB can evaluate.

        `mteb.evaluate(jssl.load("runs/NAME"), mteb.get_tasks(...))`

        Args:
            sentences: texts, or batches of them with a list as "text", as MTEB has them. What is longer than
                the rows that were trained on is cut.
            batch_size: sentences that are embedded at once, at most.
            options: what MTEB says besides, of tasks, prompts and progress; it changes nothing.

        Returns:
            float32, a row for each sentence.

        Raises:
            ValueError: a run of something else than text, or without a tokenizer; no sentences.
        """
        found = encoding.sentences_of(sentences)
        return encoding.encode(self.experiment, self.embed, found, batch_size=batch_size)

    def similarity(self, u: Any, v: Any) -> Float[np.ndarray, "*pairs"]:
        """The cosine of each of n features with each of m, or that of two, as MTEB asks for it."""
        return encoding.cosines(u, v)

    def similarity_pairwise(self, u: Any, v: Any) -> Float[np.ndarray, "*pairs"]:
        """The cosines of pairs of features, as MTEB asks for them."""
        return encoding.pairwise_cosines(u, v)

    @property
    def mteb_model_meta(self) -> Any:
        """The name and the step under which MTEB keeps its results; None where MTEB is not in use."""
        models = sys.modules.get("mteb.models")
        if models is None:
            return None
        names = {"name": f"jssl/{self.folder.resolve().name}", "revision": str(int(self.state.step))}
        return models.ModelMeta.create_empty(names)


def run(
    experiment: Experiment,
    *,
    run_dir: str | Path | None = None,
    mesh: str | None = None,
    profile: bool = False,
    origin: run_folder.Origin | None = None,
) -> Run:
    """Train, evaluate and draw the page; go on from the newest checkpoint if the folder holds this run.

    Args:
        experiment: what to run.
        run_dir: the run's folder; `runs/NAME` if not given.
        mesh: the devices to use, as "data=8" or "data=2,fsdp=4": data counts copies of the state, fsdp the
            devices that share one. All devices with a copy each if not given.
        profile: record a few steps in `profile/`, for TensorBoard's profiler or Perfetto.
        origin: where the experiment came from, so that its folder alone can bring it back.

    Raises:
        ValueError: the batch can't be divided, the folder can't be used or holds something else.
        NonFiniteLoss: the loss became infinite or not a number.
        Interrupted: after SIGTERM or Ctrl-C, once the state is saved.
    """
    sizes = parse_mesh(mesh) if mesh else None
    devices = platform.select_devices(math.prod(sizes.values()) if sizes else None)
    check_batch_size(experiment.batch_size, num_devices=len(devices), num_processes=jax.process_count())
    folder = Path(run_dir or Path("runs") / experiment.name)
    if origin is None:
        numbers = ("steps", "batch_size", "seed")
        origin = run_folder.Origin({name: getattr(experiment, name) for name in numbers})
    _open(folder, run_folder.record(experiment.name, origin, devices))
    if experiment.tokenizer is not None and hosts.first():
        experiment.tokenizer.save(folder / "tokenizer")
    session = Session(experiment, device_mesh(devices, fsdp=sizes["fsdp"] if sizes else 1), folder)
    trained = session.train(profile=profile)
    embed = evaluation.bind(session.embed, trained.state)
    if not (folder / "results.json").exists():
        session.evaluate(trained)
    hosts.meet("evaluated")
    results = json.loads((folder / "results.json").read_text())
    if hosts.first():
        page = report.draw(folder)
        evaluation.print_results(results)
        print(f"Run folder: {folder}   page: {page}")
    return Run(folder, experiment, trained.state, embed, results)


def weights_of(run_dir: str | Path, part: str = "encoder") -> Callable[[Variables], Variables]:
    """What `nn.starting_from` takes to go on from a run: `weights_of("runs/bert_small_bible")`.

    Args:
        run_dir: the run's folder.
        part: the name of the network among the method's parameters.

    Returns:
        A function that ignores its argument, the shapes, and gives that network's variables.
    """

    def read(shapes: Variables) -> Variables:
        params = load(run_dir).state.params
        if part not in params:
            raise ValueError(f"expected a part of {run_dir} among {', '.join(sorted(params))}, got {part!r}")
        return Variables(params[part], shapes.stats)

    return read


def _open(folder: Path, config: dict[str, Any]) -> None:
    """The run's folder, which the first process makes and all others find."""
    if hosts.first():
        run_folder.open_folder(folder, config)
    hosts.meet("folder")
    if not hosts.first():
        run_folder.open_folder(folder, config)


def load(run_dir: str | Path, experiment: Experiment | None = None) -> Run:
    """A run read back from its folder: its newest checkpoint, ready to embed.

    Args:
        run_dir: the run's folder.
        experiment: needed only for a run that was made in a notebook; otherwise the folder names its file,
            which is looked for from the working directory, then from the run folder's parents.

    Raises:
        ValueError: not a run's folder, its experiment can't be found or has other arguments by now, or it
            holds no checkpoint.
    """
    folder = Path(run_dir)
    config = run_folder.read_config(folder)
    if experiment is None:
        if not config["experiment"]:
            raise ValueError(
                f"{folder} was run in a notebook: give its experiment, load(run_dir, experiment)."
            )
        path, _, name = config["experiment"].rpartition(":")
        factory = find(path, name, above=folder)
        try:
            inspect.signature(factory).bind(**config["arguments"])
        except TypeError as error:
            raise ValueError(
                f"{folder} was run with arguments that {name} in {path} no longer takes ({error}): train it "
                "again, or read it with the commit that its config.json names."
            ) from None
        experiment = factory(**config["arguments"])
    session = Session(experiment, device_mesh(jax.devices()[:1]), folder)
    with closing(session.checkpoints(read_only=True)) as checkpoints:
        restored = checkpoints.restore(session.program.state_shapes())
    if restored is None:
        raise ValueError(f"{folder} holds no checkpoint yet: the run has not saved its first.")
    results = folder / "results.json"
    measured = json.loads(results.read_text()) if results.exists() else {}
    return Run(folder, experiment, restored.state, evaluation.bind(session.embed, restored.state), measured)
