"""Texts that a language model makes through its training, for the run's page: `samples.jsonl`."""

import json
from pathlib import Path

import jax
import numpy as np

from jssl.core import TrainState
from jssl.generator import Generator, Settings
from jssl.spec import Experiment, keys_of

TOKENS = 200
"""The length of a sample."""

SETTINGS = Settings(temperature=0.8)


class Sampler:
    """Writes one text each time it is asked, by the same random draws, with one compilation for all.

    A text begins with the first token of the training examples. A resumed run writes the samples after its
    checkpoint again: each step has one, and they are those of an uninterrupted run.

    Args:
        experiment: of a causal language model with a tokenizer.
        folder: the run's.
    """

    def __init__(self, experiment: Experiment, folder: Path) -> None:
        self._experiment = experiment
        self._path = folder / "samples.jsonl"
        self._key = keys_of(experiment.seed).sample
        self._generator: Generator | None = None

    @staticmethod
    def serves(experiment: Experiment) -> bool:
        """Whether the experiment's model can write.

        Not in a run of several processes: none of them has the whole model.
        """
        able = experiment.method.extend is not None and experiment.tokenizer is not None
        return able and jax.process_count() == 1

    def write(self, state: TrainState) -> None:
        """The sample of the state's step, in the place of any of this step or of later ones."""
        step = int(state.step)
        before = self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else []
        kept = [line for line in before if json.loads(line)["step"] < step]
        row = json.dumps({"step": step, "text": self._text(state)}, ensure_ascii=False)
        draft = self._path.with_suffix(".tmp")
        draft.write_text("".join(f"{line}\n" for line in [*kept, row]), encoding="utf-8")
        draft.replace(self._path)

    def _text(self, state: TrainState) -> str:
        row = np.asarray(self._experiment.data.train[0][self._experiment.inputs])
        variables = state.params, state.method_state
        if self._generator is None:
            # The last token of a row is predicted only.
            self._generator = Generator(self._experiment.method, *variables, context=len(row) - 1)
        drawn = self._generator.of(*variables).stream(
            [row[:1]], num=TOKENS, key=jax.random.clone(self._key), settings=SETTINGS
        )
        return self._experiment.tokenizer.decode([int(row[0]), *(int(token) for (token,) in drawn)])
