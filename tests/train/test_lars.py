from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jssl import train

GOLDEN = Path(__file__).parent.parent / "golden" / "siamese_lars.npz"
RATES = (0.0, 0.4, 0.3, 0.3, 0.1)


def walk(optimizer, params, gradients):
    """The parameters after each step."""
    state = optimizer.init(params)
    update = jax.jit(optimizer.update)
    for gradient in gradients:
        updates, state = update(gradient, state, params)
        params = optax.apply_updates(params, updates)
        yield params


def layer(seed):
    rng = np.random.default_rng(seed)
    return {name: jnp.asarray(rng.normal(size=s)) for name, s in (("kernel", (4, 3)), ("bias", (3,)))}


def rate(step):
    return jnp.asarray(RATES)[step]


@pytest.mark.parametrize("clip", [False, True])
def test_equals_reference_implementation(clip):
    with np.load(GOLDEN) as stored, jax.enable_x64(True):
        golden = {k.split("/")[1]: stored[k] for k in stored if k.startswith(f"clip={clip}/")}
        read = [[f"{part}_{{}}_{step}" for step in range(len(RATES))] for part in ("gradient", "after")]
        start, gradients, expected = (
            [{name: jnp.asarray(golden[key.format(name)]) for name in ("kernel", "bias")} for key in keys]
            for keys in (["start_{}"], *read)
        )
        found = walk(train.lars(rate, trust_coefficient=0.02, clip=clip), start[0], gradients)
        for actual, after in zip(found, expected, strict=True):
            for name in after:
                np.testing.assert_allclose(actual[name], after[name], rtol=1e-10)


def test_equals_explicit_loops_with_decay():
    """The rule of the docstring in NumPy; biases take plain momentum without decay."""
    params, gradients = layer(0), [layer(seed) for seed in range(1, 6)]
    optimizer = train.lars(rate, weight_decay=0.3, momentum=0.8, trust_coefficient=0.01)
    p = {name: np.asarray(x, np.float64) for name, x in params.items()}
    v = dict.fromkeys(p, 0.0)
    walked = walk(optimizer, params, gradients)
    for step, (actual, gradient) in enumerate(zip(walked, gradients, strict=True)):
        g = {name: np.asarray(x, np.float64) for name, x in gradient.items()}
        g["kernel"] = g["kernel"] + 0.3 * p["kernel"]
        g["kernel"] *= 0.01 * np.linalg.norm(p["kernel"]) / np.linalg.norm(g["kernel"])
        for name in p:
            v[name] = 0.8 * v[name] + g[name]
            p[name] = p[name] - RATES[step] * v[name]
            np.testing.assert_allclose(actual[name], p[name], rtol=1e-5, atol=1e-6)


def test_equals_optax_at_a_constant_rate():
    params, gradients = layer(0), [layer(seed) for seed in range(1, 4)]
    ours = train.lars(0.2, weight_decay=0.1)
    theirs = optax.lars(0.2, 0.1, train.kernels, trust_ratio_mask=train.kernels)
    for a, b in zip(walk(ours, params, gradients), walk(theirs, params, gradients), strict=True):
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5), a, b)


def test_without_a_mask_every_parameter_moves_by_a_share_of_itself():
    params = layer(0)
    (after,) = walk(train.lars(1.0, momentum=0.0, trust_coefficient=0.1, mask=None), params, [layer(1)])
    for name, before in params.items():
        np.testing.assert_allclose(
            jnp.linalg.norm(after[name] - before), 0.1 * jnp.linalg.norm(before), rtol=1e-4
        )


def test_the_size_of_the_gradient_matters_to_biases_and_norms_only():
    params = {"Dense_0": layer(0), "BatchNorm_0": {"scale": jnp.ones(3), "bias": jnp.zeros(3)}}
    gradients = jax.tree.map(jnp.ones_like, params)
    optimizer = train.lars(0.1)
    (once,) = walk(optimizer, params, [gradients])
    (twice,) = walk(optimizer, params, [jax.tree.map(lambda g: 2 * g, gradients)])

    def compare(path, before, a, b):
        factor = 1 if jax.tree_util.keystr(path[-1:], simple=True) == "kernel" else 2
        np.testing.assert_allclose(b - before, factor * (a - before), rtol=1e-4, atol=1e-7)

    jax.tree_util.tree_map_with_path(compare, params, once, twice)


@pytest.mark.parametrize("clip", [False, True])
def test_zeros_stay_finite(clip):
    zeros = {"kernel": jnp.zeros((2, 2))}
    ones = {"kernel": jnp.ones((2, 2))}
    (still,) = walk(train.lars(0.1, clip=clip), ones, [zeros])
    np.testing.assert_array_equal(still["kernel"], 1.0)
    (moved,) = walk(train.lars(0.1, clip=clip), zeros, [ones])
    np.testing.assert_allclose(moved["kernel"], -0.1, rtol=1e-6)


@pytest.mark.parametrize("options", [{"weight_decay": -1.0}, {"momentum": 1.0}, {"trust_coefficient": 0.0}])
def test_wrong_arguments(options):
    with pytest.raises(ValueError, match="expected weight_decay"):
        train.lars(0.1, **options)
