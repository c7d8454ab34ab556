"""A method, a feed and a loop small enough to test the training machinery alone."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jssl.core import Method, TrainState
from jssl.train import (
    Checkpoints,
    Feed,
    Logs,
    ProgressReport,
    RunBooks,
    batch_sharding,
    device_mesh,
    fit,
    init_state,
    make_step,
    replicated,
)

OPTIMIZER = optax.adam(0.05)


def toy_method() -> Method:
    """Noisy linear regression whose state counts steps and averages the weights."""

    def init(key, batch):
        weights = jax.random.normal(key, (batch["x"].shape[-1],))
        return {"w": weights}, {"average": jnp.zeros_like(weights), "count": jnp.zeros((), jnp.int32)}

    def loss(params, state, batch, *, key, step):
        noise = 0.01 * jax.random.normal(key, batch["x"].shape)
        error = jnp.mean(((batch["x"] + noise) @ params["w"] - batch["y"]) ** 2)
        return error, ({**state, "count": state["count"] + 1}, {"error/root": jnp.sqrt(error)})

    def update(params, state, step):
        return {**state, "average": 0.9 * state["average"] + 0.1 * params["w"]}

    def embed(params, state, inputs):
        return inputs * params["w"]

    return Method(init, loss, update, embed)


class ToyBatches:
    """Batch n is a function of n alone."""

    def __init__(self, bad_from: int | None = None) -> None:
        self.position = 0
        self.bad_from = bad_from

    def __next__(self) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(self.position)
        x = rng.normal(size=(8, 3)).astype(np.float32)
        if self.bad_from is not None and self.position >= self.bad_from:
            x[0, 0] = np.nan
        self.position += 1
        return {"x": x, "y": x @ np.array([1.0, -2.0, 0.5], np.float32)}

    def get_state(self) -> dict[str, int]:
        return {"position": self.position}

    def set_state(self, state: dict[str, int]) -> None:
        self.position = state["position"]


def toy_state(devices: int = 1) -> TrainState:
    batch = {"x": jnp.zeros((8, 3)), "y": jnp.zeros(8)}
    mesh = device_mesh(jax.devices()[:devices])
    init = jax.jit(
        lambda key: init_state(toy_method(), OPTIMIZER, key, batch), out_shardings=replicated(mesh)
    )
    return init(jax.random.key(0))


def toy_run(folder: Path, *, num_steps: int = 20, bad_from: int | None = None, **options: Any) -> TrainState:
    """What an experiment does, without one: resume, then fit."""
    mesh = device_mesh(jax.devices()[:1])
    state = toy_state()
    checkpoints = Checkpoints(folder / "checkpoints", name="toy")
    restored = checkpoints.restore(state)
    feed = Feed(ToyBatches(bad_from), batch_sharding(mesh))
    position = None
    if restored is not None:
        state, position = restored.state, restored.extra["logs"]
        feed.set_state(restored.extra["data"])
    step = options.pop("step", None) or jax.jit(make_step(toy_method(), OPTIMIZER), donate_argnums=0)
    try:
        with (
            Logs(folder, position) as logs,
            ProgressReport(num_steps=num_steps, start=int(state.step), batch_size=8) as progress,
        ):
            books = RunBooks(logs, checkpoints, options.pop("hooks", ()), log_every=1)
            own = {"start": int(state.step), "num_steps": num_steps, "save_every": 5, "progress": progress}
            return fit(step, state, feed, books, **own | options)
    finally:
        checkpoints.close()
