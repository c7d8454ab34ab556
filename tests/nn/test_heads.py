import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import core, nn
from tests.losses.golden import TOLERANCE, cases
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


def test_mlp_starts_as_in_pytorch():
    variables = nn.mlp((256, 64)).init(jax.random.key(0), jnp.zeros((2, 100)))
    for name, inputs in {"Dense_0": 100, "Dense_1": 256}.items():
        kernel = np.asarray(variables.params[name]["kernel"]) * inputs**0.5
        assert np.abs(kernel).max() <= 1
        np.testing.assert_allclose(kernel.std(), 3**-0.5, rtol=0.02)


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


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dino_head_equals_reference_implementation(dtype):
    head = nn.dino_head(7, hidden=(8, 8), bottleneck=4, gelu="erf", dtype=dtype)

    def total(arrays):
        layers = {
            f"Dense_{i}": {"kernel": arrays[f"kernel{i}"], "bias": arrays[f"bias{i}"]} for i in range(3)
        }
        params = {"mlp": layers, "prototypes": {"kernel": arrays["prototypes"].T}}
        logits, _ = head.apply(core.Variables(params, {"mlp": {}, "prototypes": {}}), arrays["x"], train=True)
        return logits.sum(), logits

    with jax.enable_x64(dtype == "float64"):
        for case in cases("dino_head", "distillation"):
            names = [name for name in case.arrays if "float" not in name]
            arrays = {name: jnp.asarray(case.arrays[name], dtype) for name in names}
            (_, logits), gradients = jax.jit(jax.value_and_grad(total, has_aux=True))(arrays)
            tolerance = {"rtol": 10 * TOLERANCE[dtype], "atol": 10 * TOLERANCE[dtype]}
            np.testing.assert_allclose(logits, case.arrays[f"value_{dtype}"], **tolerance)
            for name in names:
                expected = case.arrays[f"gradient_{name}_{dtype}"]
                np.testing.assert_allclose(gradients[name], expected, err_msg=name, **tolerance)


def test_dino_head(x):
    variables, y = run(nn.dino_head(6, hidden=(8,), bottleneck=4, norm="batch"), x)
    assert variables.params.keys() == {"mlp", "prototypes"}
    assert "bias" not in variables.params["mlp"]["Dense_0"]
    assert jax.tree.leaves(variables.stats["mlp"])
    assert y.shape == (16, 6)
    assert np.abs(y).max() <= 1 + 1e-5, "cosines"
    np.testing.assert_allclose(
        jnp.linalg.norm(variables.params["prototypes"]["kernel"], axis=0), 0.58, atol=0.3
    )


def test_dino_head_with_learned_lengths(x):
    head = nn.dino_head(6, hidden=(8,), bottleneck=4, learned_lengths=True)
    variables, y = run(head, x)
    lengths = jnp.arange(1.0, 7.0)
    variables.params["prototypes"]["lengths"] *= lengths
    longer, _ = apply(head, variables, x, train=True)
    np.testing.assert_allclose(longer, y * lengths[None], rtol=1e-5)


def test_dino_head_gives_float32(x):
    variables, y = run(nn.dino_head(6, hidden=(8,), bottleneck=4, dtype=jnp.bfloat16), x)
    assert y.dtype == jnp.float32
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype(jnp.float32)}


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
        lambda: nn.dino_head(1),
        lambda: nn.dino_head(4, hidden=(8, 0)),
        lambda: nn.dino_head(4, norm="layer"),
        lambda: nn.dino_head(4, gelu="exact"),
    ):
        with pytest.raises((ValueError, TypeError), match=r"expected|norm"):
            wrong()
    with pytest.raises(ValueError, match="final_norm"):
        nn.mlp((4,), norm=None, final_norm=True)
