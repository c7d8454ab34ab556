"""Equal to PyTorch's published models, whose features tests/golden/published_weights.py wrote."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors import numpy as safetensors

from jssl import nn
from tests.golden.weights import images, normal
from tests.nn.compiled import apply
from tests.nn.golden import published

BICUBIC = nn.Grid((4, 4), antialias=False)
SCALED = {"layer_scale": 1.0, "mask_token": True}


def vit(**options):
    options = {"cls_token": True, "gelu": "erf", "positions": nn.Grid((4, 4)), **options}
    return nn.transformer(32, 2, 4, **options)


MODELS = {
    "resnet": ("timm", nn.resnet50(width=8)),
    "convnext": ("timm", nn.convnext((1, 1, 2, 1), (8, 12, 16, 24), gelu="erf")),
    "vit": ("timm", vit()),
    "vit_registers": (
        "timm",
        vit(registers=2, layer_scale=1.0, qkv_bias=False, positions=nn.Grid((4, 4), cls=False)),
    ),
    "dinov2": ("dinov2", vit(**SCALED, registers=3)),
    "dinov2_swiglu": ("dinov2", vit(**SCALED, registers=3, swiglu=True)),
    "hf_vit": ("huggingface", vit(epsilon=1e-12)),
    "hf_mae": ("huggingface", vit(epsilon=1e-12)),
    "hf_dinov2": ("huggingface-dinov2", vit(**SCALED, positions=BICUBIC)),
    "hf_dinov2_swiglu": ("huggingface-dinov2", vit(**SCALED, positions=BICUBIC, swiglu=True)),
    "hf_registers": ("huggingface-dinov2", vit(**SCALED, registers=3)),
}
SIZES = {"resnet": (64, 48), "convnext": (64, 64)}


def inputs(name, height, width):
    x = jnp.asarray(images((2, height, width, 3)))
    return x if name in SIZES else jax.vmap(nn.patches(4, relative=True))(x)


def shapes_of(name):
    encoder, (height, width) = MODELS[name][1], SIZES.get(name, (16, 16))
    return jax.eval_shape(encoder.init, jax.random.key(0), inputs(name, height, width))


@pytest.fixture
def file(tmp_path):
    def write(name, **changed):
        """The model's file, with tensors of other shapes (or none) by name."""
        shapes = {**json.loads(str(published(name)["shapes"])), **changed}
        tensors = {key: normal(key, tuple(shape)) for key, shape in shapes.items() if shape is not None}
        safetensors.save_file(tensors, tmp_path / f"{name}.safetensors")
        return tmp_path / f"{name}.safetensors"

    return write


@pytest.mark.parametrize("name", MODELS)
def test_features_are_equal(name, file):
    variables = nn.load_weights(file(name), shapes_of(name))
    for key, expected in published(name).items():
        if key.startswith("features"):
            height, width = map(int, key[9:].split("x")) if key[9:] else SIZES.get(name, (16, 16))
            y, _ = apply(MODELS[name][1], variables, inputs(name, height, width))
            np.testing.assert_allclose(y, expected, atol=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_round_trip_is_exact(name, file, tmp_path):
    naming, path = MODELS[name][0], file(name)
    nn.save_weights(tmp_path / "own", nn.load_weights(path, shapes_of(name)), naming=naming)
    original, own = safetensors.load_file(path), safetensors.load_file(tmp_path / "own")
    beside = ("fc.", "head.", "decoder", "pooler.") + (("mask_token",) if name == "vit" else ())
    prefix = "vit." if name == "hf_mae" else ""
    kept = {key.removeprefix(prefix): x for key, x in original.items() if not key.startswith(beside)}
    if name == "convnext":
        kept |= {key: x for key, x in original.items() if key.startswith("head.norm")}
    assert own.keys() == kept.keys()
    for key, x in kept.items():
        np.testing.assert_array_equal(own[key], x)


def test_names_are_known_among_each_other(tmp_path):
    """One network's variables, written in each naming and read again."""
    encoder = vit(**SCALED)
    x = inputs("vit", 16, 16)
    variables = encoder.init(jax.random.key(1), x)
    for naming in ("timm", "dinov2", "huggingface-dinov2"):
        nn.save_weights(tmp_path / naming, variables, naming=naming)
        read = nn.load_weights(tmp_path / naming, variables)
        assert all(jax.tree.leaves(jax.tree.map(np.array_equal, read, variables)))


def test_half_precision_becomes_float32(tmp_path):
    encoder = nn.resnet((1,), width=4)
    variables = encoder.init(jax.random.key(0), jnp.zeros((1, 8, 8, 3)))
    nn.save_weights(tmp_path / "full", variables)
    for dtype in (np.float16, jnp.bfloat16):
        half = {key: x.astype(dtype) for key, x in safetensors.load_file(tmp_path / "full").items()}
        safetensors.save_file(half, tmp_path / "half")
        read = nn.load_weights(tmp_path / "half", variables)
        assert {x.dtype for x in jax.tree.leaves(read)} == {jnp.dtype(jnp.float32)}
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-2), read, variables)


def test_wrong_files_are_named(file, tmp_path):
    shapes = shapes_of("dinov2")
    with pytest.raises(ValueError, match=r"missing: norm\.bias; unknown: extra\.weight"):
        nn.load_weights(file("dinov2", **{"norm.bias": None, "extra.weight": (2,)}), shapes)
    nn.load_weights(file("dinov2", **{"extra.weight": (2,)}), shapes, ignore=("extra.",))
    with pytest.raises(ValueError, match=r"pos_embed of shape \(1, 17, 32\).*got \(1, 26, 32\)"):
        nn.load_weights(file("dinov2", pos_embed=(1, 26, 32)), shapes)
    path, shapes.params["registers"] = file("dinov2"), None
    with pytest.raises(ValueError, match="unknown: register_tokens"):
        nn.load_weights(path, shapes)
    (tmp_path / "torch.pth").write_bytes(b"PK not safetensors" * 10)
    with pytest.raises(ValueError, match="isn't one"):
        nn.load_weights(tmp_path / "torch.pth", shapes)


def test_wrong_networks(tmp_path):
    head = nn.mlp((4, 2)).init(jax.random.key(0), jnp.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"nn\.resnet"):
        nn.save_weights(tmp_path / "no", head)
    variables = nn.resnet((1,), width=4).init(jax.random.key(0), jnp.zeros((1, 8, 8, 3)))
    with pytest.raises(ValueError, match="'timm' only"):
        nn.save_weights(tmp_path / "no", variables, naming="dinov2")
    with pytest.raises((ValueError, TypeError), match="naming"):
        nn.save_weights(tmp_path / "no", variables, naming="keras")
