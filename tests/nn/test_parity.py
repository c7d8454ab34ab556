"""Equal to torchvision's networks, whose outputs tests/golden/nn.py wrote."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import nn
from jssl.core import Variables
from tests.golden.weights import draw, images
from tests.nn.compiled import apply

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "nn.npz")

NORM = {"scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"}


def torch_shape(shape):
    """Of a kernel whose last two axes are input and output."""
    return (shape[-1], shape[-2], *shape[:-2])


def resnet_name(path):
    """("stage0_block1", "norm2", "scale") is torchvision's "layer1.1.bn2.weight"."""
    *block, layer, leaf = path
    prefix = ""
    if block:
        stage, index = block[0].removeprefix("stage").split("_block")
        prefix = f"layer{int(stage) + 1}.{index}."
    layer = (
        layer.replace("norm", "bn")
        .replace("shortcut_conv", "downsample.0")
        .replace("shortcut_bn", "downsample.1")
    )
    layer = {"stem_conv": "conv1", "stem_bn": "bn1"}.get(layer, layer)
    return f"{prefix}{layer}.{NORM.get(leaf, 'weight')}"


def resnet_leaf(path, leaf):
    names = [key.key for key in path if key.key != "batch_stats"]
    if leaf.ndim == 4:
        return draw(resnet_name(names), torch_shape(leaf.shape)).transpose(2, 3, 1, 0)
    return draw(resnet_name(names), leaf.shape)


def resnet_variables(encoder, x):
    shapes = jax.eval_shape(lambda key: encoder.init(key, x), jax.random.key(0))
    return Variables(*(jax.tree_util.tree_map_with_path(resnet_leaf, tree) for tree in shapes))


@pytest.mark.parametrize(("name", "encoder"), [("resnet18", nn.resnet18()), ("resnet50", nn.resnet50())])
def test_resnet(name, encoder):
    x = jnp.asarray(images((2, 64, 64, 3)))
    variables = resnet_variables(encoder, x)
    for train in (False, True):
        y, stats = apply(encoder, variables, x, train=train)
        expected = GOLDEN[f"{name}/{'train' if train else 'eval'}"]
        np.testing.assert_allclose(y[:, ::8], expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
    moved = stats["batch_stats"]["stem_norm"]
    np.testing.assert_allclose(moved["mean"], GOLDEN[f"{name}/bn1.running_mean"], rtol=1e-4, atol=1e-5)
    count = 2 * 32 * 32
    start = variables.stats["batch_stats"]["stem_norm"]["var"]
    unbiased = 0.9 * start + (moved["var"] - 0.9 * start) * count / (count - 1)
    np.testing.assert_allclose(unbiased, GOLDEN[f"{name}/bn1.running_var"], rtol=1e-4)


def vit_params(depth, dim):
    def linear(name, inputs, outputs, weight="weight", bias="bias"):
        return {
            "kernel": draw(f"{name}{weight}", (outputs, inputs)).T,
            "bias": draw(f"{name}{bias}", (outputs,)),
        }

    def norm(name):
        return {"scale": draw(f"{name}.weight", (dim,)), "bias": draw(f"{name}.bias", (dim,))}

    def block(index):
        name = f"encoder.layers.encoder_layer_{index}"
        attention = f"{name}.self_attention."
        return {
            "norm1": norm(f"{name}.ln_1"),
            "norm2": norm(f"{name}.ln_2"),
            "attention": {
                "qkv": linear(attention, dim, 3 * dim, "in_proj_weight", "in_proj_bias"),
                "out": linear(f"{attention}out_proj.", dim, dim),
            },
            "mlp1": linear(f"{name}.mlp.0.", dim, 4 * dim),
            "mlp2": linear(f"{name}.mlp.3.", 4 * dim, dim),
        }

    patch = draw("conv_proj.weight", (dim, 3, 4, 4)).transpose(2, 3, 1, 0).reshape(-1, dim)
    return {
        "embed": {"kernel": patch, "bias": draw("conv_proj.bias", (dim,))},
        "cls": draw("class_token", (1, 1, dim)),
        "norm": norm("encoder.ln"),
        **{f"block{index}": block(index) for index in range(depth)},
    }


def test_vit():
    encoder = nn.vit(nn.patches(4), 32, 2, 4, pool="cls", gelu="erf")
    x = jnp.asarray(images((2, 16, 16, 3)))
    variables = Variables(jax.tree.map(jnp.asarray, vit_params(2, 32)), {})
    assert jax.tree.structure(variables) == jax.tree.structure(encoder.init(jax.random.key(0), x))
    y, _ = apply(encoder, variables, x)
    np.testing.assert_allclose(y, GOLDEN["vit/cls"], rtol=1e-4, atol=1e-5)
