"""Pretext tasks as functions: image transforms, views and masks."""

from jssl.pretext import image, masks, views
from jssl.pretext.compose import compose, deterministic, random_apply
from jssl.pretext.masks import Mask, block_mask, random_mask
from jssl.pretext.views import byol_views, multi_crop, simclr_augment, two_views

__all__ = [
    "Mask",
    "block_mask",
    "byol_views",
    "compose",
    "deterministic",
    "image",
    "masks",
    "multi_crop",
    "random_apply",
    "random_mask",
    "simclr_augment",
    "two_views",
    "views",
]
