"""Encoders run compiled in these tests: op by op they take ten times as long."""

import jax


def apply(encoder, variables, x, *, train=False, key=None):
    return jax.jit(encoder.apply, static_argnames="train")(variables, x, train=train, key=key)
