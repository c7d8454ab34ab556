"""Networks as encoders: adapters, residual networks, transformers, heads, tokenizers."""

from jssl.nn.adapters import chain, linen, nnx, normalized, output_like
from jssl.nn.attention import attend
from jssl.nn.heads import linear, mlp, prototypes
from jssl.nn.positions import Grid, sincos
from jssl.nn.resnet import resnet, resnet18, resnet34, resnet50
from jssl.nn.tokenizers import patches, unpatchify
from jssl.nn.transformer import transformer
from jssl.nn.vit import VIT_SIZES, pool_tokens, vit

__all__ = [
    "VIT_SIZES",
    "Grid",
    "attend",
    "chain",
    "linear",
    "linen",
    "mlp",
    "nnx",
    "normalized",
    "output_like",
    "patches",
    "pool_tokens",
    "prototypes",
    "resnet",
    "resnet18",
    "resnet34",
    "resnet50",
    "sincos",
    "transformer",
    "unpatchify",
    "vit",
]
