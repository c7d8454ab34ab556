from contextlib import closing
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import PartitionSpec

from jssl import nn, train
from jssl.session import Session
from jssl.train import sharding
from tests import tiny

MESHES = {"data=8": 1, "data=2,fsdp=4": 4, "fsdp=8": 8}


def mesh(fsdp, devices=8):
    return train.device_mesh(jax.devices()[:devices], fsdp=fsdp)


@pytest.mark.parametrize(
    ("words", "sizes"),
    [("data=8", (8, 1)), ("data=2,fsdp=4", (2, 4)), ("fsdp=4, data=2", (2, 4)), ("fsdp=8", (1, 8))],
)
def test_a_mesh_in_words(words, sizes):
    assert tuple(train.parse_mesh(words).values()) == sizes


@pytest.mark.parametrize(
    "words", ["", "8", "data", "data=0", "data=-1", "data=2,data=4", "model=2", "data=2.5"]
)
def test_what_is_not_a_mesh(words):
    with pytest.raises(ValueError, match=f"as data=8 or data=2,fsdp=4, got '{words}'"):
        train.parse_mesh(words)


def test_fsdp_divides_the_devices():
    with pytest.raises(ValueError, match="divide the 8 devices, got fsdp=3"):
        train.device_mesh(fsdp=3)


@pytest.mark.parametrize(
    ("shape", "cut"),
    [
        ((512, 256), ("fsdp",)),
        ((256, 512), (None, "fsdp")),
        ((256, 256), (None, "fsdp")),
        ((3, 3, 64, 513), (None, None, "fsdp")),
        ((127, 129), ()),
        ((16, 16), ()),
        ((), ()),
    ],
)
def test_large_arrays_are_cut_in_their_longest_even_dimension(shape, cut):
    (place,) = train.state_sharding(mesh(4), [jax.ShapeDtypeStruct(shape, jnp.float32)])
    assert place.spec == PartitionSpec(*cut)
    (place,) = train.state_sharding(mesh(1), [jax.ShapeDtypeStruct(shape, jnp.float32)])
    assert place.spec == PartitionSpec()


def trained(method, fsdp, folder, steps=3):
    experiment = replace(tiny.FACTORIES[method](steps=steps), evals=())
    session = Session(experiment, mesh(fsdp), folder)
    state = session.program.initial_state()
    step, feed = session.program.compile_step(), session.feed()
    for _ in range(steps):
        state, metrics = step(state, next(feed))
    return session, state, metrics


@pytest.mark.parametrize("method", ["simclr", "dino", "mae"])
def test_any_mesh_trains_the_same(method, tmp_path, monkeypatch):
    monkeypatch.setattr(sharding, "LARGE", 32)
    runs = {words: trained(method, fsdp, tmp_path) for words, fsdp in MESHES.items()}
    _, expected, loss = runs["data=8"]
    for words, (_, state, metrics) in runs.items():
        np.testing.assert_allclose(metrics["loss"], loss["loss"], rtol=1e-5, err_msg=words)
        leaves = zip(jax.tree.leaves(expected.params), jax.tree.leaves(state.params), strict=True)
        for a, b in leaves:
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5, err_msg=words)
    _, state, _ = runs["fsdp=8"]
    held = sum(x.addressable_shards[0].data.nbytes for x in jax.tree.leaves((state.params, state.opt_state)))
    whole = sum(x.nbytes for x in jax.tree.leaves((state.params, state.opt_state)))
    assert held < whole / 2


def test_a_checkpoint_is_restored_on_another_mesh(tmp_path, monkeypatch):
    monkeypatch.setattr(sharding, "LARGE", 32)
    session, state, _ = trained("dino", 4, tmp_path)
    with closing(session.checkpoints()) as checkpoints:
        checkpoints.save(3, state, {"logs": {}, "data": {}})
        checkpoints.wait()
    for fsdp, devices in ((1, 1), (8, 8), (2, 2)):
        other = Session(session.experiment, mesh(fsdp, devices), tmp_path)
        with closing(other.checkpoints(read_only=True)) as checkpoints:
            found = checkpoints.restore(other.program.state_shapes()).state
        assert jax.tree.map(lambda x: x.sharding, found) == other.program.placement
        jax.tree.map(np.testing.assert_array_equal, found.params, state.params)
        jax.tree.map(np.testing.assert_array_equal, found.method_state, state.method_state)


@pytest.mark.slow
def test_a_large_vision_transformers_state_is_shared():
    """Compiled, not run: what initialising leaves on each device, and that it needs no more on the way."""
    encoder = nn.vit(nn.patches(16), 1024, 24, 16)
    optimizer = optax.adamw(1e-3)

    def init(key):
        params, _ = encoder.init(key, jnp.zeros((1, 224, 224, 3)))
        return params, optimizer.init(params)

    def held(fsdp):
        place = train.state_sharding(mesh(fsdp), jax.eval_shape(init, jax.random.key(0)))
        memory = jax.jit(init, out_shardings=place).lower(jax.random.key(0)).compile().memory_analysis()
        return memory.output_size_in_bytes, memory.temp_size_in_bytes

    whole, _ = held(1)
    assert whole > 3 * 300e6 * 4, "303 million parameters and two moments of each"
    for fsdp in (2, 8):
        shared, needed = held(fsdp)
        assert shared < 1.01 * whole / fsdp
        assert needed < whole / fsdp


def test_a_mesh_that_a_slice_can_not_hold(monkeypatch):
    def refuse(*arguments, **options):
        raise NotImplementedError("Failed to find assignment")

    monkeypatch.setattr(jax, "make_mesh", refuse)
    with pytest.raises(ValueError, match=r"data=2,fsdp=4 does not follow the sides of this slice"):
        train.device_mesh(fsdp=4)
