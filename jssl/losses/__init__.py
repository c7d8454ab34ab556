"""Losses: plain functions of arrays, each like its paper's equation, computed in float32."""

from jssl.losses.clustering import swav, swav_codes
from jssl.losses.contrastive import contrastive_accuracy, info_nce, nt_xent
from jssl.losses.reconstruction import masked_reconstruction, normalize_patches

__all__ = [
    "contrastive_accuracy",
    "info_nce",
    "masked_reconstruction",
    "normalize_patches",
    "nt_xent",
    "swav",
    "swav_codes",
]
