"""Image transforms: factories of `(key, x) -> x`, and the fixed changes of one image that they draw from.

An image is one float array [height, width, channels] in [0, 1] with 1 or 3 channels; batches go through
`jax.vmap`. Shapes out are static, dtypes are kept.
"""

from jssl.pretext.compose import random_apply
from jssl.pretext.image.checks import to_float
from jssl.pretext.image.color import (
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
    color_jitter,
    gaussian_noise,
    grayscale,
    luminance,
    normalize,
    random_grayscale,
    random_solarize,
    solarize,
)
from jssl.pretext.image.corrupt import erase_blocks, masking_noise
from jssl.pretext.image.filters import blur, gaussian_blur
from jssl.pretext.image.geometry import (
    center_crop,
    erase,
    flip_horizontal,
    flip_vertical,
    horizontal_flip,
    random_crop,
    random_erasing,
    random_resized_crop,
    random_rotation,
    rotate,
    vertical_flip,
)
from jssl.pretext.image.lab import color_classes, lab_to_rgb, lightness, rgb_to_lab, soft_color_classes
from jssl.pretext.image.resample import Interpolation, resize, resized_crop

__all__ = [
    "Interpolation",
    "adjust_brightness",
    "adjust_contrast",
    "adjust_hue",
    "adjust_saturation",
    "blur",
    "center_crop",
    "color_classes",
    "color_jitter",
    "erase",
    "erase_blocks",
    "flip_horizontal",
    "flip_vertical",
    "gaussian_blur",
    "gaussian_noise",
    "grayscale",
    "horizontal_flip",
    "lab_to_rgb",
    "lightness",
    "luminance",
    "masking_noise",
    "normalize",
    "random_apply",
    "random_crop",
    "random_erasing",
    "random_grayscale",
    "random_resized_crop",
    "random_rotation",
    "random_solarize",
    "resize",
    "resized_crop",
    "rgb_to_lab",
    "rotate",
    "soft_color_classes",
    "solarize",
    "to_float",
    "vertical_flip",
]
