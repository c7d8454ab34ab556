"""What stands on top of a text transformer while it is trained: BERT's heads."""

import jax.numpy as jnp
from flax import linen
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jssl.core import Encoder
from jssl.nn import adapters
from jssl.nn.block import Gelu
from jssl.nn.dense import Dense

NORMAL = linen.initializers.normal(0.02)


class Pooler(linen.Module):
    """A linear layer and tanh."""

    dtype: DTypeLike

    @linen.compact
    def __call__(self, h: Float[Array, "*batch dim"]) -> Float[Array, "*batch dim"]:
        return jnp.tanh(Dense(h.shape[-1], dtype=self.dtype, kernel_init=NORMAL, name="dense")(h))


class MaskedHead(linen.Module):
    """A linear layer, GELU and a norm before the scores of all tokens."""

    gelu: str
    epsilon: float
    bias: bool
    dtype: DTypeLike

    @linen.compact
    def __call__(self, h: Float[Array, "*batch dim"]) -> Float[Array, "*batch dim"]:
        h = Dense(h.shape[-1], self.bias, dtype=self.dtype, kernel_init=NORMAL, name="dense")(h)
        h = linen.gelu(h, approximate=self.gelu == "tanh")
        return linen.LayerNorm(self.epsilon, self.dtype, use_bias=self.bias, name="norm")(h)


def pooler(*, dtype: DTypeLike = jnp.float32) -> Encoder:
    """BERT's pooler, `tanh(W h + b)`, of a row's first hidden state h: [..., dim] to [..., dim].

    Reference: Devlin et al., 2018, arXiv 1810.04805, section 3.
    """
    return adapters.linen(Pooler(dtype))


def masked_head(
    *, gelu: Gelu = "erf", epsilon: float = 1e-12, bias: bool = True, dtype: DTypeLike = jnp.float32
) -> Encoder:
    """BERT's head before the scores of all tokens, `norm(gelu(W h + b))`: [..., dim] to [..., dim].

    The scores themselves are products with the network's own token embeddings. RoBERTa's has `epsilon=1e-5`,
    and ModernBERT's no bias besides.

    Reference: Devlin et al., 2018, arXiv 1810.04805, appendix A.2 and the published code.
    """
    return adapters.linen(MaskedHead(gelu, epsilon, bias, dtype))
