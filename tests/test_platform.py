import os
import subprocess
import sys

import jax
import pytest

from jssl import platform

from . import runs


def in_a_process(code, **variables):
    """What a fresh Python prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=runs.environment() | variables,
        cwd=runs.ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")


def test_options_are_those_asked_for():
    assert platform.step_options("cpu", fusion=("DOT", "REDUCE")) == {
        "xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_DOT,LIBRARY_FUSION_TYPE_REDUCE"
    }
    assert platform.step_options("cpu", fusion=()) == {}
    assert platform.step_options("gpu") == platform.step_options("tpu") == {}


def test_the_users_own_option_stands(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_experimental_ynn_fusion_type=LIBRARY_FUSION_TYPE_REDUCE")
    assert platform.step_options("cpu") == {}


def test_what_runs_once_is_compiled_quickly(monkeypatch):
    quick = {"xla_backend_optimization_level": 1}
    assert platform.once_options("cpu") == {}, "these tests leave out most optimizations"
    jax.config.update("jax_disable_most_optimizations", False)
    try:
        assert platform.once_options("cpu") == quick
        assert platform.once_options("gpu") == platform.once_options("tpu") == {}
        monkeypatch.setenv("XLA_FLAGS", "--xla_backend_optimization_level=2")
        assert platform.once_options("cpu") == {}
    finally:
        jax.config.update("jax_disable_most_optimizations", True)


def test_nothing_is_set_once_jax_runs():
    jax.devices()
    before = os.environ["XLA_FLAGS"]
    assert platform.configure(devices=3) == ()
    assert os.environ["XLA_FLAGS"] == before


CONFIGURE = """
from jssl import platform
platform.configure(devices=3)
import jax, os
print(len(jax.devices()))
print(os.environ["XLA_FLAGS"])
print(float(jax.numpy.ones(3).sum()))
"""


@pytest.mark.slow
def test_a_fresh_process_gets_devices_and_flags_and_keeps_the_users_own():
    count, flags, result, *_ = in_a_process(CONFIGURE)
    assert (count, result) == ("3", "3.0")
    assert flags == f"{platform.HOST_DEVICES}=3"
    mine = f"{platform.HOST_DEVICES}=2"
    count, flags, *_ = in_a_process(CONFIGURE, XLA_FLAGS=mine)
    assert (count, flags) == ("2", mine)


KEEP = """
import os
for name in {ours}:
    os.environ.pop(name)
import jax
{before}
from jssl import platform
platform.configure()
print(jax.config.jax_compilation_cache_dir)
print(jax.config.jax_persistent_cache_min_compile_time_secs)
"""


@pytest.mark.slow
def test_what_was_compiled_is_kept_where_the_user_says_or_at_home(tmp_path):
    names = ["JAX_COMPILATION_CACHE_DIR", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"]
    folder, least, *_ = in_a_process(KEEP.format(ours=names, before=""), HOME=str(tmp_path))
    assert (folder, least) == (str(tmp_path / ".cache" / "jssl" / "xla"), "0.1")
    mine = {names[0]: str(tmp_path), names[1]: "3"}
    folder, least, *_ = in_a_process(KEEP.format(ours=[], before=""), **mine)
    assert (folder, least) == (str(tmp_path), "3.0")
    own = 'jax.config.update("jax_persistent_cache_min_compile_time_secs", 3)'
    for ours, before in ((names[:1], ""), (names, own)):
        folder, least, *_ = in_a_process(KEEP.format(ours=ours, before=before), HOME=str(tmp_path), **mine)
        assert folder == str(tmp_path / ".cache" / "jssl" / "xla")
        assert float(least) == 3, "the user's threshold stands in jssl's folder too"


def test_devices_that_are_not_there():
    with pytest.raises(ValueError, match="Asked for 0 devices, expected 1 to 8"):
        platform.select_devices(0)
    assert len(platform.select_devices(5)) == 5
    assert len(platform.select_devices()) == 8


@pytest.mark.slow
def test_the_flags_can_be_printed():
    printed = subprocess.run(
        [sys.executable, "-m", "jssl.platform"],
        cwd=runs.ROOT,
        env=runs.environment(),
        capture_output=True,
        text=True,
    )
    assert printed.stdout.startswith("cpu: {'xla_cpu_experimental_ynn_fusion_type'")
