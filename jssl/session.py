"""What one experiment needs on one set of devices, each made once and when it is first asked for."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import cache, cached_property, partial
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from jssl import evaluation, hosts, pictures, run_folder, scoring, texts
from jssl.core import TrainState
from jssl.data import as_arrays, loader
from jssl.evals import Split, diagnose
from jssl.program import Program
from jssl.samples import Sampler
from jssl.spec import Experiment, keys_of
from jssl.train import (
    Checkpoints,
    Feed,
    Hook,
    Logs,
    ProgressReport,
    RunBooks,
    batch_sharding,
    fit,
    replicated,
)


class Trained(NamedTuple):
    """What training leaves behind: the state, how long it took, and the last value of each metric."""

    state: TrainState
    seconds: float
    metrics: Mapping[str, float]


class Session:
    """One experiment on one set of devices, in one folder."""

    def __init__(self, experiment: Experiment, mesh: Mesh, folder: Path) -> None:
        self.experiment = experiment
        self.mesh = mesh
        self.program = Program(experiment, mesh)
        self.folder = folder
        self.embed = evaluation.make_embed(
            experiment.method, spread=batch_sharding(mesh), whole=replicated(mesh)
        )
        keys = keys_of(experiment.seed)
        self._eval_key, self._refresh_key = keys.evaluation, keys.refresh
        self._examples: evaluation.Examples | None = None
        self._seen: tuple[int, dict[Any, Any]] = (-1, {})

    def examples(self) -> evaluation.Examples:
        if self._examples is None:
            self._examples = evaluation.load_examples(self.experiment.data, self.experiment.inputs)
        return self._examples

    def checkpoints(self, *, read_only: bool = False) -> Checkpoints:
        experiment = self.experiment
        return Checkpoints(
            self.folder / "checkpoints",
            name=experiment.name,
            keep=experiment.keep,
            score=experiment.score,
            read_only=read_only,
        )

    def feed(self) -> Feed:
        experiment = self.experiment
        batches = loader(
            experiment.data.train,
            batch_size=experiment.batch_size,
            seed=experiment.seed,
            process_index=jax.process_index(),
            process_count=jax.process_count(),
        )
        return Feed(batches, batch_sharding(self.mesh))

    def train(self, *, profile: bool = False) -> Trained:
        """From the newest checkpoint, or from the beginning, to the last step.

        Args:
            profile: record a few steps in the run's folder.
        """
        experiment = self.experiment
        started = time.monotonic()
        with closing(self.checkpoints()) as checkpoints:
            restored = checkpoints.restore(self.program.state_shapes())
            state = self.program.initial_state() if restored is None else restored.state
            if restored is not None:
                print(f"Going on from step {restored.step:,} of {experiment.steps:,}.")
            if restored is not None and restored.step >= experiment.steps:
                return Trained(state, 0.0, restored.extra["logs"]["latest"])
            feed = self.feed()
            if restored is not None:
                feed.set_state(restored.extra["data"])
            with self._logs(restored.extra["logs"] if restored else None) as (logs, progress):
                if restored is None and experiment.refresh_every is not None:
                    state, row = self._refresh(state)
                    logs.write(0, row)
                state = fit(
                    self.program.compile_step(),
                    state,
                    feed,
                    self.books(logs, checkpoints, progress),
                    start=0 if restored is None else restored.step,
                    num_steps=experiment.steps,
                    save_every=experiment.save_every,
                    progress=progress,
                    trace=self.folder / "profile" if profile else None,
                )
        return Trained(state, time.monotonic() - started, logs.latest)

    @contextmanager
    def _logs(self, position: dict[str, Any] | None) -> Iterator[tuple[Logs, ProgressReport]]:
        experiment = self.experiment
        start = position["step"] if position else 0
        with (
            Logs(self.folder if hosts.first() else None, position) as logs,
            ProgressReport(
                num_steps=experiment.steps, start=start, batch_size=experiment.batch_size
            ) as progress,
        ):
            yield logs, progress

    def books(self, logs: Logs, checkpoints: Checkpoints, progress: ProgressReport) -> RunBooks:
        """With refresh, online evaluations (of a step together), the method's diagnosis, and sampled text."""
        experiment = self.experiment
        hooks = []
        if experiment.refresh_every is not None:
            hooks.append(Hook(experiment.refresh_every, self._refresh))
        for every in sorted({e.every for e in experiment.evals if e.every is not None}):
            hooks.append(Hook(every, self._online(every, progress)))
        hooks.append(Hook(experiment.save_every, partial(self._diagnose, logs, progress)))
        if self._sampler is not None:
            own = [e.every for e in experiment.evals if e.needs == "scores" and e.every is not None]
            hooks.append(Hook(min(own, default=experiment.save_every), self._sample))
        return RunBooks(logs, checkpoints, hooks, experiment.log_every)

    def _refresh(self, state: TrainState) -> tuple[TrainState, dict[str, float]]:
        refresh = self.experiment.method.refresh
        if refresh is None:
            raise ValueError("refresh_every is set, but the method has no refresh: leave it None.")
        key = jax.random.fold_in(jax.random.clone(self._refresh_key), int(state.step))
        params, method_state, metrics = refresh(
            state.params, state.method_state, self.experiment.data.train, key=key
        )
        places = self.program.placement.params, self.program.placement.method_state
        params, method_state = jax.device_put((params, method_state), places)
        return state._replace(params=params, method_state=method_state), metrics

    def _online(
        self, every: int, progress: ProgressReport
    ) -> Callable[[TrainState], tuple[TrainState, dict[str, float]]]:
        chosen = [evaluation for evaluation in self.experiment.evals if evaluation.every == every]

        def evaluate(state: TrainState) -> tuple[TrainState, dict[str, float]]:
            row = evaluation.measure(chosen, self._eval_key, self._look(state).of)
            for warning in diagnose(row):
                progress.say(f"warning: {warning}")
            return state, {f"eval/{name}": value for name, value in row.items()}

        return evaluate

    def _diagnose(
        self, logs: Logs, progress: ProgressReport, state: TrainState
    ) -> tuple[TrainState, dict[str, float]]:
        for warning in self._judge(logs.latest):
            progress.say(f"warning: {warning}")
        return state, {}

    @cached_property
    def _sampler(self) -> Sampler | None:
        return Sampler(self.experiment, self.folder) if Sampler.serves(self.experiment) else None

    def _sample(self, state: TrainState) -> tuple[TrainState, dict[str, float]]:
        if self._sampler is not None:
            self._sampler.write(state)
        return state, {}

    def _judge(self, metrics: Mapping[str, float]) -> list[str]:
        """What the method itself says about its last metrics."""
        judge = self.experiment.method.diagnose
        return judge(metrics) if judge is not None else []

    def _look(self, state: TrainState) -> evaluation.Look:
        """What the evaluations see; features are kept for the other evaluations of the same step."""
        step = int(state.step)
        if self._seen[0] != step:
            self._seen = (step, {})
        embed = evaluation.bind(self.embed, state)
        return evaluation.Look(embed, self.examples, answers=self._answers(state), seen=self._seen[1])

    def _answers(self, state: TrainState) -> dict[str, Callable[[], tuple[Any, ...]]]:
        """What the method itself says of the test examples."""
        data, key = self.experiment.data, self._eval_key
        return {
            "scores": cache(lambda: (self._score(state, jax.random.clone(key), data),)),
            "predictions": cache(lambda: self._predict(state, data)),
        }

    @cached_property
    def _score(self) -> Callable[..., dict[str, float]]:
        return scoring.make_score(
            self.experiment.method, spread=batch_sharding(self.mesh), whole=replicated(self.mesh)
        )

    @cached_property
    def _predict(self) -> Callable[..., tuple[Any, ...]]:
        return scoring.make_predict(
            self.experiment.method, spread=batch_sharding(self.mesh), whole=replicated(self.mesh)
        )

    def evaluate(self, trained: Trained) -> None:
        """Everything measured after training, and the files that the page is drawn from."""
        started = time.monotonic()
        experiment = self.experiment
        self._sample(trained.state)
        warnings = self._judge(trained.metrics)
        results: dict[str, Any] = {"columns": [], "rows": {}, "warnings": warnings}
        if experiment.evals:
            print("Evaluating ...", flush=True)
            table = self._compare(trained.state)
            results = {
                "columns": table.columns,
                "rows": table.rows,
                "warnings": warnings + diagnose(table.trained()),
            }
        results["classes"] = list(experiment.data.classes)
        results["seconds"] = {"training": trained.seconds, "evaluation": time.monotonic() - started}
        if hosts.first():
            run_folder.write_json(self.folder / "results.json", results)

    def _compare(self, state: TrainState) -> evaluation.Comparison:
        """Every evaluation on raw inputs and on both encoders; features and pictures go into their files."""
        experiment = self.experiment
        source = experiment.data.train if experiment.data.test is None else experiment.data.test
        drawn = pictures.draw_pictures(experiment.method, state, self._eval_key, source)
        embed = evaluation.bind(self.embed, state)
        answers = self._answers(state)
        look = evaluation.Look(embed, self.examples, views=drawn.get("views"), answers=answers)
        looks = chain(self._baselines(), [(evaluation.TRAINED, look)])
        table = evaluation.compare(experiment.evals, self._eval_key, looks)
        tagged = self._tagged(answers["predictions"])
        if evaluation.needs_examples(experiment.evals):
            train, test = look.splits()
            self._write(drawn, tagged, train, test, self.examples().test.first(pictures.PICTURED))
        elif self._embeds_texts():
            assert experiment.data.test is not None
            test = evaluation.first_split(experiment.data.test, experiment.inputs, embed)
            self._write(drawn, tagged, None, test, test.inputs)
        else:
            self._write(drawn, tagged)
        return table

    def _tagged(self, predictions: Callable[[], tuple[Any, ...]]) -> list[Any]:
        """Some test examples with their entities, if the method predicts the tags of these."""
        data, predict = self.experiment.data, self.experiment.method.predict
        if predict is None or data.test is None or self._reader is None or not texts.are_tags(data.classes):
            return []
        guesses, labels = predictions()
        rows = as_arrays(data.test)[self.experiment.inputs]
        return texts.tag_texts(self._reader, rows, guesses, labels, data.classes)

    def _embeds_texts(self) -> bool:
        """Whether the page can show which texts are near each other, without any evaluation of these."""
        experiment = self.experiment
        test, writes = experiment.data.test, experiment.method.extend is not None
        return (
            self._reader is not None
            and not writes
            and test is not None
            and np.ndim(test[0][experiment.inputs]) == 1
        )

    def _write(
        self,
        drawn: dict[str, np.ndarray],
        tagged: list[Any],
        train: Split | None = None,
        test: Split | None = None,
        inputs: np.ndarray | None = None,
    ) -> None:
        """The files that the page draws features, pictures and texts from."""
        if not hosts.first():
            return
        pictures.write_pictures(self.folder, drawn)
        if test is not None and inputs is not None:
            evaluation.write_arrays(self.folder, train, test, inputs)
        if self._reader is not None:
            texts.write_texts(self.folder, self._reader, drawn, inputs, tagged)

    @cached_property
    def _reader(self) -> texts.Reader | None:
        """What turns the inputs into text, if they are rows of a tokenizer."""
        tokenizer, pad = self.experiment.tokenizer, self.experiment.pad
        if tokenizer is None:
            return None
        return texts.Reader(tokenizer, tokenizer.special.pad if pad is None else pad)

    def _baselines(self) -> Iterator[tuple[str, evaluation.Look]]:
        """Raw inputs and the untrained encoder, one after the other, for their features take memory."""
        experiment = self.experiment
        column, raw = evaluation.raw_column(experiment.data.train, experiment.inputs, experiment.pad)
        yield column, evaluation.Look(raw, self.examples)
        state = self.program.initial_state()
        embed = evaluation.bind(self.embed, state)
        yield evaluation.UNTRAINED, evaluation.Look(embed, self.examples, answers=self._answers(state))
