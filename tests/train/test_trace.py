import jax.numpy as jnp
import pytest

from jssl.train.trace import Trace


@pytest.mark.parametrize(("steps", "written"), [(9, False), (11, True), (20, True)])
def test_some_steps_are_recorded_once_the_first_are_over(steps, written, tmp_path):
    with Trace(tmp_path, after=10, steps=3) as trace:
        for step in range(steps):
            trace.before_step(jnp.ones(step + 1))
    found = {path.name for path in tmp_path.rglob("*.*") if path.is_file()}
    assert bool(found) == written
    if written:
        assert "perfetto_trace.json.gz" in found
        assert any(name.endswith(".xplane.pb") for name in found), "what TensorBoard's profiler reads"


def test_nothing_is_recorded_without_a_folder(tmp_path):
    with Trace(None, after=0, steps=1) as trace:
        trace.before_step(())
        trace.before_step(())
