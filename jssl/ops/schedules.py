"""Numbers that change with the step: decays of averaged targets, temperatures, weights."""

from typing import Any, TypeAlias

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jssl.core import Schedule

Number: TypeAlias = float | Float[Array, ""]
"""Also one that is traced."""


def at_step(value: float | Schedule, step: int | Int[Array, ""]) -> Any:
    """The number itself, or what the schedule gives at this step."""
    return value(step) if callable(value) else value


def linear(start: Number, end: Number, steps: int) -> Schedule:
    """From `start` at step 0 in a straight line to `end` at step `steps`, and `end` from then on."""
    _check(steps)

    def schedule(step: int | Int[Array, ""]) -> Float[Array, ""]:
        return start + (end - start) * _progress(step, steps)

    return schedule


def cosine(start: Number, end: Number, steps: int) -> Schedule:
    """From `start` at step 0 along half a cosine to `end` at step `steps`, and `end` from then on.

    `end + (start - end) * (1 + cos(pi * step / steps)) / 2`: the decay of BYOL's target is
    `cosine(0.996, 1.0, steps)` (Grill et al., 2020, arXiv 2006.07733, section 3.2).
    """
    _check(steps)

    def schedule(step: int | Int[Array, ""]) -> Float[Array, ""]:
        return end + (start - end) * (1 + jnp.cos(jnp.pi * _progress(step, steps))) / 2

    return schedule


def warmup_cosine(
    peak: Number, *, warmup: int, steps: int, start: Number = 0.0, end: Number = 0.0
) -> Schedule:
    """From `start` straight to `peak` at step `warmup`, then along half a cosine to `end` at step `steps`.

    The learning rate of most recipes. As `optax.warmup_cosine_decay_schedule`, but its numbers may be traced,
    so that runs with several peaks can be one program.
    """
    rising, falling = linear(start, peak, max(1, warmup)), cosine(peak, end, max(1, steps - warmup))

    def schedule(step: int | Int[Array, ""]) -> Float[Array, ""]:
        return jnp.where(jnp.asarray(step) < warmup, rising(step), falling(jnp.asarray(step) - warmup))

    return schedule


def warmup_linear(peak: Number, *, warmup: int, steps: int) -> Schedule:
    """From 0 straight to `peak` at step `warmup`, then straight to 0 at step `steps`, as BERT has it."""
    rising, falling = linear(0.0, peak, max(1, warmup)), linear(peak, 0.0, max(1, steps - warmup))

    def schedule(step: int | Int[Array, ""]) -> Float[Array, ""]:
        return jnp.where(jnp.asarray(step) < warmup, rising(step), falling(jnp.asarray(step) - warmup))

    return schedule


def _progress(step: int | Int[Array, ""], steps: int) -> Float[Array, ""]:
    return jnp.clip(jnp.asarray(step, jnp.float32) / steps, 0.0, 1.0)


def _check(steps: int) -> None:
    if steps < 1:
        raise ValueError(f"expected a schedule over 1 step or more, got steps={steps}")
