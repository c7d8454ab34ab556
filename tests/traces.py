"""How often functions are traced, by JAX's events: a jit's own count depends on what ran before it."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax

TRACED = "/jax/core/compile/jaxpr_trace_duration"


@contextmanager
def traces() -> Iterator[Counter[str]]:
    """Count the traces of jitted functions by name while the block runs."""
    counts: Counter[str] = Counter()

    def listen(event: str, duration: float, **details: Any) -> None:
        if event == TRACED:
            counts[details["fun_name"]] += 1

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield counts
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
