"""Schedules: their ends, their middle, and what lies beyond."""

import jax
import numpy as np
import pytest

from jssl import ops


def test_linear_goes_straight_and_stays():
    schedule = ops.linear(0.04, 0.07, 10)
    np.testing.assert_allclose([schedule(n) for n in (0, 5, 10, 99)], [0.04, 0.055, 0.07, 0.07], rtol=1e-6)


def test_cosine_is_the_formula_of_byol():
    schedule = ops.cosine(0.996, 1.0, 100)
    for step in (0, 30, 50, 100, 150):
        expected = 1 - (1 - 0.996) * (np.cos(np.pi * min(step, 100) / 100) + 1) / 2
        np.testing.assert_allclose(schedule(step), expected, rtol=1e-6)


def test_a_number_is_its_own_schedule():
    assert ops.at_step(0.5, 3) == 0.5
    assert float(jax.jit(lambda step: ops.at_step(ops.linear(0.0, 1.0, 4), step))(1)) == 0.25


def test_no_steps_is_refused():
    with pytest.raises(ValueError, match="steps=0"):
        ops.cosine(0.9, 1.0, 0)
