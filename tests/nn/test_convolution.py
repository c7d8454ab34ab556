import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jssl import nn
from jssl.nn.convolution import convolve

OPTIONS = {"dimension_numbers": ("NHWC", "HWIO", "NHWC"), "precision": lax.Precision.HIGHEST}


@pytest.mark.parametrize(
    ("size", "taps", "stride", "padding"),
    [
        ((2, 2), (3, 3), 1, [(1, 1), (1, 1)]),
        ((4, 4), (3, 3), 2, [(1, 1), (1, 1)]),
        ((1, 1), (3, 3), 1, [(1, 1), (1, 1)]),
        ((3, 2), (3, 3), 2, [(1, 1), (0, 2)]),
        ((7, 5), (4, 3), 2, [(0, 0), (0, 0)]),
        ((6, 6), (3, 3), 1, [(1, 1), (1, 1)]),
    ],
)
def test_equals_the_convolution_of_lax(size, taps, stride, padding):
    x = jax.random.normal(jax.random.key(0), (4, *size, 5))
    kernel = jax.random.normal(jax.random.key(1), (*taps, 5, 6))

    def outcome(convolution):
        def total(x, kernel):
            y = convolution(x, kernel, (stride, stride), padding, **OPTIONS)
            return jnp.sum(jnp.sin(y)), y

        return jax.jit(jax.value_and_grad(total, (0, 1), has_aux=True))(x, kernel)

    for own, reference in zip(
        *map(jax.tree.leaves, map(outcome, (convolve, lax.conv_general_dilated))), strict=True
    ):
        np.testing.assert_allclose(own, reference, rtol=1e-5, atol=1e-5)


def test_no_convolution_on_maps_smaller_than_the_kernel():
    """XLA's CPU backend would take many times as long."""
    encoder = nn.resnet((1, 1, 1), width=4, stem="patch4")
    images = jnp.zeros((2, 32, 32, 3))
    variables = encoder.init(jax.random.key(0), images)

    def total(params):
        return jnp.sum(encoder.apply(variables._replace(params=params), images, train=True)[0])

    program = jax.jit(jax.grad(total)).lower(variables.params).as_text()
    lines = [line for line in program.splitlines() if "stablehlo.convolution" in line and "<3x3x" in line]
    assert [line for line in lines if "x4x4x8x" in line]
    assert not [line for line in lines if "x2x2x16x" in line]
