"""Work is counted as XLA counts it, but for loops, which count as often as they run."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import plan


def compiled(function, *arguments):
    return jax.jit(function).lower(*arguments).compile()


def work(function, *arguments):
    return plan.count(plan.Module(compiled(function, *arguments).as_text()))


def convolved(x, kernel, **options):
    return jax.lax.conv_general_dilated(x, kernel, dimension_numbers=("NHWC", "HWIO", "NHWC"), **options)


CONVOLUTIONS = {
    "plain": {"window_strides": (1, 1), "padding": "SAME"},
    "strided": {"window_strides": (2, 2), "padding": ((1, 1), (0, 2))},
    "dilated": {"window_strides": (1, 1), "padding": "SAME", "rhs_dilation": (2, 1)},
    "fractional": {"window_strides": (1, 1), "padding": ((1, 1), (0, 2)), "lhs_dilation": (2, 3)},
    "grouped": {"window_strides": (2, 1), "padding": "VALID", "feature_group_count": 4},
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
@pytest.mark.parametrize("of", ["value", "gradient in the input", "gradient in the kernel"])
def test_products_of_convolutions_are_those_that_xla_counts(name, of):
    options = CONVOLUTIONS[name]
    x = jnp.zeros((2, 9, 12, 8))
    kernel = jnp.zeros((3, 3, 8 // options.get("feature_group_count", 1), 16))
    y, pulled = jax.vjp(lambda x, kernel: convolved(x, kernel, **options), x, kernel)
    if of == "value":
        program = compiled(lambda x, kernel: convolved(x, kernel, **options), x, kernel)
    else:
        program = compiled(lambda y: pulled(y)[of == "gradient in the kernel"], y)
    found = plan.count(plan.Module(program.as_text())).flops
    assert found == pytest.approx(program.cost_analysis()["flops"], rel=0.01)


def test_products_of_matrices():
    found = work(lambda a, b: jnp.einsum("bij,bjk->bik", a, b), jnp.zeros((3, 16, 32)), jnp.zeros((3, 32, 8)))
    assert found.flops == 2 * 3 * 16 * 32 * 8
    assert found.bytes == 4 * 3 * (16 * 32 + 32 * 8 + 16 * 8)


def test_what_is_moved_is_what_xla_counts():
    def function(x, y):
        return jnp.sin(x) + y, x.sum(0)

    program = compiled(function, jnp.zeros((64, 32)), jnp.zeros((64, 32)))
    found = plan.count(plan.Module(program.as_text()))
    assert found.bytes == pytest.approx(program.cost_analysis()["bytes accessed"], rel=0.05)


@pytest.mark.parametrize("of", ["value", "gradient"])
def test_loops_count_as_often_as_they_run(of):
    def layers(weights, x):
        return jax.lax.scan(lambda x, w: (jnp.tanh(x @ w), None), x, weights)[0].sum()

    function = layers if of == "value" else jax.grad(layers)
    found = {num: work(function, jnp.zeros((num, 128, 128)), jnp.zeros((16, 128))) for num in (4, 12)}
    products = 1 if of == "value" else 3
    for num, measured in found.items():
        assert measured.flops == pytest.approx(products * num * 2 * 16 * 128 * 128, rel=0.01)
    each = (found[12].bytes - found[4].bytes) / 8
    matrix, rows = 4 * 128 * 128, 4 * 16 * 128
    assert products * matrix <= each <= products * (4 * matrix + 16 * rows), "not all layers each time"


def test_memory_on_the_chip_is_not_counted():
    text = """HloModule jit_f

ENTRY %main (x: f32[256]) -> f32[256] {
  %x = f32[256]{0:T(256)} parameter(0)
  %start = (f32[256]{0:T(256)S(1)}, f32[256]{0:T(256)}, u32[]{:S(2)}) copy-start(%x)
  %near = f32[256]{0:T(256)S(1)} copy-done(%start)
  %sine = f32[256]{0:T(256)S(1)} sine(%near)
  ROOT %far = f32[256]{0:T(256)} copy(%sine)
}
"""
    assert plan.count(plan.Module(text)).bytes == 2 * 1024, "read once and written once"
    assert np.isclose(plan.count(plan.Module(text)).flops, 0)
