import jax
import jax.numpy as jnp

from jssl import methods, nn, train


def test_masks_of_a_text_model():
    """As BERT's: all but norms and biases; or kernels alone."""
    method = methods.clm(encoder=nn.text_transformer(9, 4, 1, 2, max_length=4, **nn.GPT2))
    params, _ = method.init(jax.random.key(0), {"tokens": jnp.zeros((2, 4), jnp.int32)})

    def names(mask):
        leaves = jax.tree_util.tree_leaves_with_path(mask)
        return {
            jax.tree_util.keystr(path[1:], simple=True, separator="/") for path, decays in leaves if decays
        }

    kernels = {f"block0/{layer}/kernel" for layer in ("attention/qkv", "attention/out", "mlp1", "mlp2")}
    assert names(train.kernels(params)) == kernels
    assert names(train.weights(params)) == kernels | {"tokens", "positions"}
    bias = {"encoder": {"tokens": 0}, "token_bias": 0, "head": {"norm": {"scale": 0, "bias": 0}}}
    assert train.weights(bias) == {
        "encoder": {"tokens": True},
        "token_bias": False,
        "head": {"norm": {"scale": False, "bias": False}},
    }
