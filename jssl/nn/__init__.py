"""Networks as encoders: adapters, residual networks, transformers, heads, tokenizers."""

from jssl.nn.adapters import chain, linen, nnx, normalized, output_like, starting_from
from jssl.nn.attention import attend
from jssl.nn.convnext import convnext, convnext_base, convnext_small, convnext_tiny
from jssl.nn.decoders import conv_decoder
from jssl.nn.heads import dino_head, linear, mlp, prototypes
from jssl.nn.memory import in_pieces
from jssl.nn.positions import Grid, sincos
from jssl.nn.resnet import resnet, resnet18, resnet34, resnet50, resnet101, resnet152, resnet200
from jssl.nn.text import BERT, GPT2, MODERN, ROBERTA, Cache, Next, Prompt, text_transformer
from jssl.nn.text_heads import masked_head, pooler
from jssl.nn.tokenizers import patches, unpatchify
from jssl.nn.transformer import transformer
from jssl.nn.vit import VIT_SIZES, pool_tokens, vit
from jssl.nn.weights import load_weights, save_weights

__all__ = [
    "BERT",
    "GPT2",
    "MODERN",
    "ROBERTA",
    "VIT_SIZES",
    "Cache",
    "Grid",
    "Next",
    "Prompt",
    "attend",
    "chain",
    "conv_decoder",
    "convnext",
    "convnext_base",
    "convnext_small",
    "convnext_tiny",
    "dino_head",
    "in_pieces",
    "linear",
    "linen",
    "load_weights",
    "masked_head",
    "mlp",
    "nnx",
    "normalized",
    "output_like",
    "patches",
    "pool_tokens",
    "pooler",
    "prototypes",
    "resnet",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnet200",
    "save_weights",
    "sincos",
    "starting_from",
    "text_transformer",
    "transformer",
    "unpatchify",
    "vit",
]
