"""Freed memory stays with the process, unless the user has settings of their own."""

import subprocess
import sys

import pytest

# A child of its own: the setting lasts for a process, and this one's tests should not depend on it.
FAULTS = """
import resource, sys
import numpy as np
from jssl.platform import keep_memory
kept = keep_memory() if sys.argv[1] == "keep" else False
def touch():
    np.ones(int(sys.argv[2]), np.uint8)
touch()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    touch()
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def run(mode, size=2**27, **environment):
    command = [sys.executable, "-c", FAULTS, mode, str(size)]
    output = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    ).stdout.split()
    return output[0] == "True", int(output[1])


@pytest.mark.skipif(sys.platform != "linux", reason="the setting is glibc's; run this test on Linux")
@pytest.mark.parametrize("size", [2**27, 2**30 + 2**28])
def test_kept_memory_is_not_touched_anew(size):
    kept, faults = run("keep", size)
    assert kept
    _, faults_by_default = run("default", size)
    assert faults < faults_by_default / 10


def test_the_users_settings_stand():
    assert run("keep", MALLOC_ARENA_MAX="4")[0] is False
    assert run("keep", GLIBC_TUNABLES="glibc.malloc.arena_max=4")[0] is False
