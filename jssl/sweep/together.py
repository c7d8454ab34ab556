"""The train states of several runs, and the step that takes all of them one step further."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from jssl import platform
from jssl.core import Batch, Metrics, TrainState
from jssl.locate import Factory
from jssl.spec import Experiment, keys_of
from jssl.sweep.members import Member, varied
from jssl.sweep.number import Number
from jssl.train import init_state, make_step

Numbers = dict[str, jax.Array]
"""The arguments in which the runs differ, by name."""


class Together(ABC):
    """One program for several runs.

    Args:
        factory: makes the experiment of a run, also from traced numbers.
        runs: they fit together, see `members`.
        devices: to train on.

    Attributes:
        place: of the batches, which have the runs as their first axis.
    """

    def __init__(self, factory: Factory, runs: Sequence[Member], devices: Sequence[jax.Device]) -> None:
        self._factory = factory
        self._runs = runs
        names = [name for name in varied([run.arguments for run in runs]) if name != "seed"]
        self._numbers = {
            name: jnp.array([run.arguments[name] for run in runs], jnp.float32) for name in names
        }
        mesh = jax.make_mesh((len(devices),), ("runs",), axis_types=(AxisType.Auto,), devices=devices)
        self.place = NamedSharding(mesh, PartitionSpec("runs"))

    @abstractmethod
    def initial_state(self) -> Any:
        """Of each run as it is when it trains alone."""

    @abstractmethod
    def stack(self, states: Sequence[TrainState]) -> Any:
        """The states of the runs as `step` takes them."""

    @abstractmethod
    def own(self, states: Any, index: int) -> TrainState:
        """The state of one of them."""

    @abstractmethod
    def step(self, states: Any, batches: Batch) -> tuple[Any, dict[str, Any]]:
        """One step of each run; the states given to it are gone. Metrics have a row for each run."""

    def _keys(self) -> list[jax.Array]:
        return [keys_of(run.experiment.seed).train for run in self._runs]

    def _init(self, numbers: Numbers, key: jax.Array) -> TrainState:
        """The first state of a run."""
        example = self._runs[0].experiment.data.train[0]
        size = self._runs[0].experiment.batch_size
        batch = {name: jnp.zeros((size, *np.shape(x)), np.asarray(x).dtype) for name, x in example.items()}
        experiment = self._experiment(numbers)
        return init_state(experiment.method, experiment.optimizer, key, batch)

    def _advance(self, numbers: Numbers, state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        """One step of a run."""
        experiment = self._experiment(numbers)
        return make_step(experiment.method, experiment.optimizer)(state, batch)

    def _experiment(self, numbers: Numbers) -> Experiment:
        known = {
            name: Number(name, traced, [run.arguments[name] for run in self._runs])
            for name, traced in numbers.items()
        }
        return self._factory(**(self._runs[0].arguments | known))


class SideBySide(Together):
    """The runs are the first axis of each array, cut over the devices, as many as divide their number."""

    def __init__(self, factory: Factory, runs: Sequence[Member]) -> None:
        super().__init__(factory, runs, jax.devices()[: math.gcd(len(runs), len(jax.devices()))])

    def initial_state(self) -> TrainState:
        return self._mapped(self._init)(self._numbers, jax.random.clone(jnp.stack(self._keys())))

    def stack(self, states: Sequence[TrainState]) -> TrainState:
        return jax.device_put(jax.tree.map(lambda *x: jnp.stack(x), *states), self.place)

    def own(self, states: TrainState, index: int) -> TrainState:
        return jax.tree.map(lambda x: x[index], states._replace(key=jax.random.clone(states.key)))

    def step(self, states: TrainState, batches: Batch) -> tuple[TrainState, dict[str, Any]]:
        return self._step(self._numbers, states, batches)

    @cached_property
    def _step(self) -> Callable[..., Any]:
        return self._mapped(self._advance, donate_argnums=1)

    def _mapped(self, function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        split = self.place.spec
        each_device = jax.shard_map(
            jax.vmap(function), mesh=self.place.mesh, in_specs=split, out_specs=split, check_vma=False
        )
        return jax.jit(each_device, **options)


class InTurn(Together):
    """The runs take turns with the program of a single one: a CPU is busy with one at a time.

    Mapped, convolutions whose kernels differ between the runs are slow on it, and a loop takes three to four
    times as long as its steps alone.
    """

    def __init__(self, factory: Factory, runs: Sequence[Member]) -> None:
        super().__init__(factory, runs, jax.devices()[:1])

    def initial_state(self) -> list[TrainState]:
        init = jax.jit(self._init, compiler_options=platform.once_options("cpu"))
        return [init(self._numbers_of(i), jax.random.clone(key)) for i, key in enumerate(self._keys())]

    def stack(self, states: Sequence[TrainState]) -> list[TrainState]:
        return list(states)

    def own(self, states: list[TrainState], index: int) -> TrainState:
        return states[index]._replace(key=jax.random.clone(states[index].key))

    def step(self, states: list[TrainState], batches: Batch) -> tuple[list[TrainState], dict[str, Any]]:
        done = [
            self._step(self._numbers_of(index), state, jax.tree.map(lambda x, i=index: x[i], batches))
            for index, state in enumerate(states)
        ]
        return [state for state, _ in done], {name: [own[name] for _, own in done] for name in done[0][1]}

    @cached_property
    def _step(self) -> Callable[..., Any]:
        options = platform.step_options("cpu", fusion=self._runs[0].experiment.fusion)
        return jax.jit(self._advance, donate_argnums=1, compiler_options=options)

    def _numbers_of(self, index: int) -> Numbers:
        return {name: values[index] for name, values in self._numbers.items()}


def together(factory: Factory, runs: Sequence[Member]) -> Together:
    """What suits the devices."""
    return (InTurn if jax.default_backend() == "cpu" else SideBySide)(factory, runs)
