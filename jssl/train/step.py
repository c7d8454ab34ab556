"""One training step as one function of arrays: the only place where a method meets an optimizer."""

from collections.abc import Callable
from typing import cast

import jax
import jax.numpy as jnp
import optax
from jaxtyping import PRNGKeyArray

from jssl.core import Batch, Method, Metrics, TrainState

Step = Callable[[TrainState, Batch], tuple[TrainState, Metrics]]


def init_state(
    method: Method, optimizer: optax.GradientTransformation, key: PRNGKeyArray, batch: Batch
) -> TrainState:
    """The state before the first step.

    Args:
        method: the pretext task.
        optimizer: any optax transformation.
        key: the run's only key; parameters and every step's randomness are folded from it.
        batch: one batch, for its shapes.

    Returns:
        The train state at step 0. Arrays only; wrap the call in `jax.jit` to place it on many devices.
    """
    init_key, step_key = jax.random.split(key)
    params, method_state = method.init(init_key, batch)
    return TrainState(jnp.zeros((), jnp.int32), params, method_state, optimizer.init(params), step_key)


def make_step(method: Method, optimizer: optax.GradientTransformation) -> Step:
    """The pure function `(state, batch) -> (state, metrics)` of one optimization step.

    It is not compiled here: `jax.jit(make_step(...), donate_argnums=0)` is the whole training step, on one
    device or, with a sharded batch, on many. Donated, the state given to it is gone: copy what you keep.

    Returns:
        A function whose metrics are the method's own, "loss" and "gradient/norm", all scalars.
    """

    def step(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        key = jax.random.fold_in(state.key, state.step)
        grad = jax.value_and_grad(method.loss, has_aux=True)
        (loss, (method_state, metrics)), gradients = grad(
            state.params, state.method_state, batch, key=key, step=state.step
        )
        updates, opt_state = optimizer.update(gradients, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        method_state = method.update(params, method_state, state.step)
        norm = cast(jax.Array, optax.tree.norm(gradients))
        metrics = {"loss": loss, "gradient/norm": norm, **metrics}
        return TrainState(state.step + 1, params, method_state, opt_state, state.key), metrics

    return step
