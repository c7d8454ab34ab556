"""A boundary that XLA's CPU backend does not fuse across."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
from jax.experimental.xla_metadata import set_xla_metadata


def fenced(
    function: Callable[..., Any], *, elsewhere: Callable[..., Any] | None = None
) -> Callable[..., Any]:
    """The function of arrays, on CPUs compiled apart from what surrounds it; on accelerators `elsewhere`.

    Args:
        function: takes and returns arrays.
        elsewhere: does the same in the form that suits accelerators; None: `function` itself, inlined.

    XLA for CPUs fuses a chain of transforms into one loop that computes a value again for every place that
    reads it (a crop for both sides of a flip, colours for all taps of a blur), several times the work. It
    drops `jax.lax.optimization_barrier` before it fuses; a call that may not be inlined stays.
    """
    inlined_within = set_xla_metadata(inlineable="true")(function)
    call = set_xla_metadata(inlineable="false")(jax.jit(lambda *arrays: inlined_within(*arrays)))
    return partial(jax.lax.platform_dependent, cpu=call, default=elsewhere or function)
