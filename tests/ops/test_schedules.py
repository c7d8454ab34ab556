"""Schedules: their ends, their middle, and what lies beyond."""

import jax
import numpy as np
import optax
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


@pytest.mark.parametrize("warmup", [0, 1, 7])
def test_warm_up_and_cosine_are_those_of_optax(warmup):
    expected = optax.warmup_cosine_decay_schedule(1e-4, 0.3, warmup, 20, 1e-3)
    found = ops.warmup_cosine(0.3, warmup=warmup, steps=20, start=1e-4, end=1e-3)
    for step in (0, 1, 3, 6, 7, 8, 19, 20, 50):
        np.testing.assert_allclose(found(step), expected(step), rtol=1e-5, atol=1e-7)


def test_warm_up_and_straight_fall_are_those_of_bert():
    rising, falling = optax.linear_schedule(0.0, 0.3, 5), optax.linear_schedule(0.3, 0.0, 15)
    expected = optax.join_schedules([rising, falling], [5])
    found = ops.warmup_linear(0.3, warmup=5, steps=20)
    for step in (0, 1, 4, 5, 6, 12, 19, 20, 30):
        np.testing.assert_allclose(found(step), expected(step), rtol=1e-5, atol=1e-7)


def test_a_peak_may_be_traced():
    slopes = jax.vmap(lambda peak: ops.warmup_cosine(peak, warmup=2, steps=8)(1))(np.array([1.0, 3.0]))
    np.testing.assert_allclose(slopes, [0.5, 1.5])


def test_a_number_is_its_own_schedule():
    assert ops.at_step(0.5, 3) == 0.5
    assert float(jax.jit(lambda step: ops.at_step(ops.linear(0.0, 1.0, 4), step))(1)) == 0.25


def test_no_steps_is_refused():
    with pytest.raises(ValueError, match="steps=0"):
        ops.cosine(0.9, 1.0, 0)
