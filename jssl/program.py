"""What an experiment compiles to on a mesh of devices: its first state and its training step."""

from functools import cached_property

import jax
import numpy as np
from jax.sharding import Mesh
from jax.stages import Compiled

from jssl import platform
from jssl.core import TrainState
from jssl.spec import Experiment, keys_of
from jssl.train import batch_sharding, init_state, make_step, replicated, state_sharding


class Program:
    """An experiment on a mesh. Its devices may be absent: all but `initial_state` is known without them."""

    def __init__(self, experiment: Experiment, mesh: Mesh) -> None:
        self.experiment = experiment
        self.mesh = mesh
        self._key = keys_of(experiment.seed).train

    def batch_shapes(self) -> dict[str, jax.ShapeDtypeStruct]:
        """Shapes and placement of a batch."""
        sharding = batch_sharding(self.mesh)
        size = self.experiment.batch_size
        return {
            name: jax.ShapeDtypeStruct((size, *np.shape(x)), np.asarray(x).dtype, sharding=sharding)
            for name, x in self.experiment.data.train[0].items()
        }

    def state_shapes(self) -> TrainState:
        """Shapes and placement of the train state."""
        return jax.tree.map(
            lambda x, place: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=place),
            self._shapes,
            self.placement,
        )

    @cached_property
    def placement(self) -> TrainState:
        """Where each array of the train state lies: the tree of shardings."""
        return state_sharding(self.mesh, self._shapes)

    def initial_state(self) -> TrainState:
        """The state before the first step, the same at every call; each device makes only its part."""
        return self._init(jax.random.clone(self._key))

    def compile_step(self) -> Compiled:
        """The step, compiled ahead of time: a batch of another shape is an error, never a recompilation."""
        step = jax.jit(
            make_step(self.experiment.method, self.experiment.optimizer),
            donate_argnums=0,
            in_shardings=(self.placement, batch_sharding(self.mesh)),
            out_shardings=(self.placement, replicated(self.mesh)),
        )
        options = platform.step_options(self.mesh.devices.flat[0].platform, fusion=self.experiment.fusion)
        with jax.set_mesh(self.mesh):
            return step.lower(self.state_shapes(), self.batch_shapes()).compile(options)

    @cached_property
    def _shapes(self) -> TrainState:
        return jax.eval_shape(self._traced_once, self._key)

    @cached_property
    def _init(self) -> jax.stages.Wrapped:
        options = platform.once_options(self.mesh.devices.flat[0].platform)
        return jax.jit(self._traced_once, out_shardings=self.placement, compiler_options=options)

    @cached_property
    def _traced_once(self) -> jax.stages.Wrapped:
        """Shapes and first state come from the same trace: where the state lies follows from its shapes."""
        return jax.jit(self._make_state)

    def _make_state(self, key: jax.Array) -> TrainState:
        batch = {name: jax.numpy.zeros(x.shape, x.dtype) for name, x in self.batch_shapes().items()}
        return init_state(self.experiment.method, self.experiment.optimizer, key, batch)
