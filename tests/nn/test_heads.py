import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import core, nn
from tests.nn.compiled import apply


@pytest.fixture
def x():
    return jax.random.normal(jax.random.key(0), (16, 5))


def run(encoder, x):
    variables = encoder.init(jax.random.key(1), x)
    return variables, apply(encoder, variables, x, train=True)[0]


def test_mlp_layers(x):
    variables, y = run(nn.mlp((7, 6, 3)), x)
    assert y.shape == (16, 3)
    shapes = {name: layer["kernel"].shape for name, layer in variables.params.items() if "Dense" in name}
    assert shapes == {"Dense_0": (5, 7), "Dense_1": (7, 6), "Dense_2": (6, 3)}
    assert "bias" not in variables.params["Dense_0"]
    assert "bias" in variables.params["Dense_2"]


def test_mlp_without_norm_by_hand(x):
    variables, y = run(nn.mlp((7, 3), norm=None), x)
    first, second = variables.params["Dense_0"], variables.params["Dense_1"]
    hidden = np.maximum(np.asarray(x) @ first["kernel"] + first["bias"][None], 0)
    np.testing.assert_allclose(y, hidden @ second["kernel"] + second["bias"][None], rtol=1e-4, atol=1e-5)
    assert variables.stats == {}


@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_final_norm_has_no_scale(x, norm):
    variables, y = run(nn.mlp((7, 4), norm=norm, final_norm=True), x)
    axis = 0 if norm == "batch" else 1
    np.testing.assert_allclose(y.mean(axis), 0.0, atol=1e-5)
    np.testing.assert_allclose(y.std(axis), 1.0, atol=1e-2)
    assert "bias" not in variables.params["Dense_1"]
    assert sum("Norm" in name for name in variables.params) == 1


def test_prototypes_are_unit_vectors(x):
    encoder = nn.prototypes(4)
    variables, y = run(encoder, x)
    kernel = variables.params["kernel"]
    np.testing.assert_allclose(
        y, np.asarray(x) @ (kernel / np.linalg.norm(kernel, axis=0)[None]), rtol=1e-5, atol=1e-6
    )
    longer = core.Variables({"kernel": 3 * kernel}, {})
    np.testing.assert_allclose(apply(encoder, longer, x, train=False)[0], y, rtol=1e-5, atol=1e-6)


def test_linear(x):
    assert run(nn.linear(3), x)[1].shape == (16, 3)
    assert set(run(nn.linear(3, use_bias=False), x)[0].params) == {"kernel"}


def test_compute_dtype(x):
    for encoder in (nn.mlp((4, 4), dtype=jnp.bfloat16), nn.prototypes(3, dtype=jnp.bfloat16)):
        variables, y = run(encoder, x)
        assert y.dtype == jnp.bfloat16
        assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype(jnp.float32)}


def test_wrong_arguments():
    for wrong in (
        lambda: nn.mlp(()),
        lambda: nn.mlp((4, 0)),
        lambda: nn.mlp((4,), norm="group"),
        lambda: nn.prototypes(1),
        lambda: nn.linear(0),
    ):
        with pytest.raises((ValueError, TypeError), match=r"expected|norm"):
            wrong()
    with pytest.raises(ValueError, match="final_norm"):
        nn.mlp((4,), norm=None, final_norm=True)
