import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import core, methods, nn, pretext
from tests import conformance
from tests.methods.spy import spy
from tests.nn.compiled import apply

ENCODER, PREDICTOR = nn.transformer(16, 1, 2), nn.transformer(8, 1, 2, mask_token=True)


def ijepa(**options):
    defaults = {
        "tokenizer": nn.patches(2),
        "encoder": ENCODER,
        "predictor": PREDICTOR,
        "mask": lambda key, n: pretext.multiblock_mask(key, (4, 4), num_targets=3),
        "untokenize": nn.unpatchify,
    }
    return methods.ijepa(**{**defaults, **options})


def place(positions):
    return np.asarray(positions[..., 0] * 4 + positions[..., 1]).astype(int)


def smooth_l1(d):
    d = np.abs(d)
    return np.where(d < 1, 0.5 * d * d, d - 0.5)


def test_the_loss_by_hand():
    """Three targets of 3 tokens each, a context of the other 16 - 9 at most."""
    batch, encoded, predicted = conformance.batch(), [], []
    method = ijepa(encoder=spy(ENCODER, encoded), predictor=spy(PREDICTOR, predicted))
    params, state = method.init(jax.random.key(0), batch)
    noise = jax.tree.map(lambda x: x + 0.1, state.target.params)
    state = state._replace(target=state.target._replace(params=noise))
    encoded.clear()
    value, _ = method.loss(params, state, batch, key=jax.random.key(1), step=jnp.asarray(0))

    (target_params, everything, target_train), (online_params, context, _) = encoded
    assert not target_train
    assert target_params is noise["encoder"]
    assert online_params is params["encoder"]
    assert everything.values.shape == (16, 16, 12)
    assert context.values.shape == (16, 7, 12)
    seen = place(context.positions)
    np.testing.assert_array_equal(
        np.take_along_axis(np.asarray(everything.values), seen[..., None], axis=1), context.values
    )

    _, asked, _ = predicted[-1]
    assert asked.values.shape == (16 * 3, 7 + 3, 16)
    np.testing.assert_array_equal(asked.masked, np.broadcast_to(np.arange(10) >= 7, (48, 10)))
    places = place(asked.positions)
    np.testing.assert_array_equal(places[:, :7], np.repeat(seen, 3, axis=0))
    targets = places[:, 7:]
    assert not any(set(a) & set(b) for a, b in zip(places[:, :7].tolist(), targets.tolist(), strict=True))

    h, _ = apply(ENCODER, core.Variables(noise["encoder"], {}), everything)
    h = np.asarray(h, np.float64)
    h = (h - h.mean(-1, keepdims=True)) / np.sqrt(h.var(-1, keepdims=True) + 1e-5)
    h = np.take_along_axis(np.repeat(h, 3, axis=0), targets[..., None], axis=1)
    s, _ = apply(ENCODER, core.Variables(params["encoder"], {}), context, train=True)
    np.testing.assert_allclose(asked.values[:, :7], np.repeat(np.asarray(s), 3, axis=0), atol=1e-5)
    blocks, head = params["predictor"]["blocks"], params["predictor"]["head"]
    p, _ = apply(PREDICTOR, core.Variables(blocks, {}), asked, train=True)
    p = np.asarray(p[:, 7:] @ head["kernel"] + head["bias"].reshape(1, 1, -1))
    np.testing.assert_allclose(value, smooth_l1(p - h).mean(), rtol=1e-4)


def test_the_target_follows_and_is_what_embeds():
    batch = conformance.batch()
    method = ijepa(decay=lambda step: jnp.where(step == 3, 0.75, 1.0))
    params, state = jax.jit(method.init)(jax.random.key(0), batch)
    moved = jax.tree.map(lambda x: x + 1.0, params)
    at = {step: method.update(moved, state, jnp.asarray(step)) for step in (2, 3)}
    for before, after in zip(jax.tree.leaves(state), jax.tree.leaves(at[2]), strict=True):
        np.testing.assert_array_equal(before, after)
    for before, after in zip(jax.tree.leaves(state), jax.tree.leaves(at[3]), strict=True):
        np.testing.assert_allclose(after, before + 0.25, atol=1e-6)
    embed = jax.jit(method.embed)
    np.testing.assert_array_equal(embed(moved, state, batch["image"]), embed(params, state, batch["image"]))
    assert (embed(params, at[3], batch["image"]) != embed(params, state, batch["image"])).any()


def test_constant_targets_show():
    """A target without weights gives the same features for all, which the metrics say."""
    batch = conformance.batch()
    method = ijepa()
    params, state = jax.jit(method.init)(jax.random.key(0), batch)
    loss = jax.jit(method.loss)
    step, key = jnp.asarray(0), jax.random.key(1)
    _, (_, metrics) = loss(params, state, batch, key=key, step=step)
    numbers = {name: float(x) for name, x in metrics.items()}
    assert numbers["target/std"] > 0.1
    assert method.diagnose(numbers) == []
    constant = state._replace(target=jax.tree.map(jnp.zeros_like, state.target))
    _, (_, metrics) = loss(params, constant, batch, key=jax.random.clone(key), step=step)
    assert "decay" in method.diagnose({name: float(x) for name, x in metrics.items()})[0]


def test_pictures():
    batch = conformance.batch()
    method = ijepa(mean=0.5, std=0.25)
    params, state = jax.jit(method.init)(jax.random.key(0), batch)
    shown = jax.jit(method.show)(params, state, batch, key=jax.random.key(1))["blocks"]
    assert shown.shape == (16, 5, 8, 8, 3)
    same = np.isclose(shown, shown[:, :1], atol=1e-5).all(-1).mean((2, 3))
    np.testing.assert_allclose(same[:, 0], 1)
    np.testing.assert_allclose(same[:, 1], 7 / 16, atol=0.05)
    np.testing.assert_allclose(same[:, 2:], 3 / 16, atol=0.05)


def test_wrong_arguments():
    with pytest.raises(ValueError, match="std"):
        ijepa(std=0.0)
    with pytest.raises(ValueError, match="mask_token=True"):
        ijepa(predictor=nn.transformer(8, 1, 2)).init(jax.random.key(0), conformance.batch())
