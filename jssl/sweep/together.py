"""The train states of several runs, stacked, and the step of one run mapped over all of them."""

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from jssl.core import Batch, Metrics, TrainState
from jssl.locate import Factory
from jssl.spec import Experiment, keys_of
from jssl.sweep.members import Member, varied
from jssl.sweep.number import Number
from jssl.train import init_state, make_step

Numbers = dict[str, jax.Array]
"""The arguments in which the runs differ, by name."""

States: TypeAlias = Any
"""A `TrainState` whose arrays have the runs as their first axis."""


class Together:
    """One program for several runs, spread over as many devices as divide their number.

    The runs of one device are computed side by side, but on a CPU one after the other: its cores are busy
    with one, and XLA is slow there at convolutions whose kernels differ between the runs.

    Args:
        factory: makes the experiment of a run, also from traced numbers.
        runs: they fit together, see `members`.

    Attributes:
        place: of the states and the batches, the runs being the first axis of each array.
    """

    def __init__(self, factory: Factory, runs: Sequence[Member]) -> None:
        self._factory = factory
        self._runs = runs
        names = [name for name in varied([run.arguments for run in runs]) if name != "seed"]
        self._numbers = {
            name: jnp.array([run.arguments[name] for run in runs], jnp.float32) for name in names
        }
        devices = jax.devices()[: math.gcd(len(runs), len(jax.devices()))]
        mesh = jax.make_mesh((len(devices),), ("runs",), axis_types=(AxisType.Auto,), devices=devices)
        self.place = NamedSharding(mesh, PartitionSpec("runs"))
        self._one_by_one = mesh.devices.flat[0].platform == "cpu"

    def initial_state(self) -> States:
        """Of each run as it is when it trains alone."""
        example = self._runs[0].experiment.data.train[0]
        size = self._runs[0].experiment.batch_size
        shapes = {name: (size, *np.shape(x)) for name, x in example.items()}

        def init(numbers: Numbers, key: jax.Array) -> TrainState:
            experiment = self._experiment(numbers)
            batch = {name: jnp.zeros(shapes[name], np.asarray(x).dtype) for name, x in example.items()}
            return init_state(experiment.method, experiment.optimizer, key, batch)

        keys = jnp.stack([keys_of(run.experiment.seed).train for run in self._runs])
        return self._mapped(init)(self._numbers, jax.random.clone(keys))

    def stack(self, states: Sequence[TrainState]) -> States:
        """The states of the runs as one."""
        return jax.device_put(jax.tree.map(lambda *x: jnp.stack(x), *states), self.place)

    def step(self, states: States, batches: Batch) -> tuple[States, dict[str, jax.Array]]:
        """One step of each run; the states given to it are gone."""
        return self._step(self._numbers, states, batches)

    @cached_property
    def _step(self) -> Callable[..., Any]:
        def step(numbers: Numbers, state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
            experiment = self._experiment(numbers)
            return make_step(experiment.method, experiment.optimizer)(state, batch)

        return self._mapped(step, donate_argnums=1)

    def _mapped(self, function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        def one_by_one(*arguments: Any) -> Any:
            return jax.lax.map(lambda own: function(*own), arguments)

        split = self.place.spec
        each_device = jax.shard_map(
            one_by_one if self._one_by_one else jax.vmap(function),
            mesh=self.place.mesh,
            in_specs=split,
            out_specs=split,
            check_vma=False,
        )
        return jax.jit(each_device, **options)

    def _experiment(self, numbers: Numbers) -> Experiment:
        known = {
            name: Number(name, traced, [run.arguments[name] for run in self._runs])
            for name, traced in numbers.items()
        }
        return self._factory(**(self._runs[0].arguments | known))
