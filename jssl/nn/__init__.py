"""Networks as encoders: adapters, residual networks, transformers, heads, tokenizers."""

from jssl.nn.adapters import chain, linen, nnx, normalized, output_like
from jssl.nn.heads import linear, mlp, prototypes
from jssl.nn.resnet import resnet, resnet18, resnet34, resnet50
from jssl.nn.tokenizers import patches, unpatchify
from jssl.nn.transformer import sincos, transformer
from jssl.nn.vit import pool_tokens, vit

__all__ = [
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
