"""Cases of tests/golden/predictive.npz: what PyTorch and transformers compute."""

from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

PATH = Path(__file__).parent.parent / "golden" / "predictive.npz"
TOLERANCE = {"float32": 3e-6, "float64": 1e-12}


@cache
def cases(loss):
    """Arrays by field, for each case of one loss."""
    grouped = {}
    with np.load(PATH) as stored:
        for key in stored:
            if key.startswith(f"{loss}/"):
                _, name, field = key.split("/")
                grouped.setdefault(name, {})[field] = stored[key]
    assert grouped, f"no case of {loss} in {PATH.name}: run tests/golden/make_predictive.py"
    return grouped


def assert_golden(loss, name, arrays, inputs, *, tolerances=TOLERANCE, **options):
    """Value and gradient of the first input, in both precisions."""
    function = jax.jit(jax.value_and_grad(lambda *x: loss(*x, **options)))
    for dtype, tolerance in tolerances.items():
        with jax.enable_x64(dtype == "float64"):
            given = (arrays[field] for field in inputs)
            given = [jnp.asarray(x, dtype if x.dtype == np.float32 else None) for x in given]
            value, gradient = function(*given)
        within = {"rtol": 2 * tolerance, "atol": tolerance, "err_msg": name}
        np.testing.assert_allclose(value, arrays[f"value_{dtype}"], **within)
        np.testing.assert_allclose(gradient, arrays[f"gradient_{dtype}"], **within)
