"""Pretext tasks as functions: image transforms, views, masks and text."""

from jssl.pretext import image, masks, text, views
from jssl.pretext.compose import compose, deterministic, random_apply
from jssl.pretext.jigsaw import jigsaw_permutations, jigsaw_tiles
from jssl.pretext.masks import BoundedMask, Mask, block_mask, ibot_mask, random_mask
from jssl.pretext.multiblock import MultiBlock, multiblock_mask
from jssl.pretext.unit_mask import unit_mask
from jssl.pretext.views import byol_views, dino_views, multi_crop, simclr_augment, two_views

__all__ = [
    "BoundedMask",
    "Mask",
    "MultiBlock",
    "block_mask",
    "byol_views",
    "compose",
    "deterministic",
    "dino_views",
    "ibot_mask",
    "image",
    "jigsaw_permutations",
    "jigsaw_tiles",
    "masks",
    "multi_crop",
    "multiblock_mask",
    "random_apply",
    "random_mask",
    "simclr_augment",
    "text",
    "two_views",
    "unit_mask",
    "views",
]
