"""Several views of one example, and the augmentations that published methods make them with."""

from functools import partial

import jax
import jax.numpy as jnp

from jssl.core import Transform
from jssl.pretext.compose import compose, random_apply
from jssl.pretext.image import (
    Interpolation,
    color_jitter,
    gaussian_blur,
    horizontal_flip,
    random_grayscale,
    random_resized_crop,
    random_solarize,
)


def two_views(augment: Transform, augment_b: Transform | None = None) -> Transform:
    """Two independent views of an example, stacked in front: `(key, x) -> [2, ...]`.

    Args:
        augment: makes the first view; the second too unless `augment_b` is given.
        augment_b: makes the second view, of the same shape.

    Under `vmap` over a batch the result is [batch, 2, ...]: views of an example stay side by side, so that
    reshaping to [2 batch, ...] moves nothing between devices.
    """
    if augment_b is None:
        return _repeated(augment, 2)

    def views(key, x):
        key_a, key_b = jax.random.split(key)
        return jnp.stack([augment(key_a, x), augment_b(key_b, x)])

    return views


def multi_crop(
    global_augment: Transform, local_augment: Transform, *, num_global: int = 2, num_local: int = 6
) -> Transform:
    """A few large and several small views: `(key, x) -> (globals [g, ...], locals [l, ...])`.

    Raises:
        ValueError: if a number of views is not positive.

    Reference: Caron et al. 2020 (SwAV), arXiv:2006.09882, section 3.2.
    """
    if num_global < 1 or num_local < 1:
        raise ValueError(f"multi_crop expected at least one view each, got {num_global} and {num_local}.")
    global_views, local_views = _repeated(global_augment, num_global), _repeated(local_augment, num_local)

    def views(key, x):
        global_key, local_key = jax.random.split(key)
        return global_views(global_key, x), local_views(local_key, x)

    return views


def simclr_augment(
    size: int | tuple[int, int],
    *,
    strength: float = 1.0,
    scale: tuple[float, float] = (0.08, 1.0),
    interpolation: Interpolation = "bilinear",
    jitter_probability: float = 0.8,
    grayscale_probability: float = 0.2,
    blur: bool = True,
    blur_probability: float = 0.5,
    solarize_probability: float = 0.0,
) -> Transform:
    """SimCLR's augmentation: crop, flip, colour jitter, grayscale and blur.

    Args:
        size: pixels of the view.
        strength: of the colour jitter (1: ImageNet; 0.5: CIFAR-10 and MoCo v2).
        scale: bounds of the crop's share of the area.
        interpolation: of the crop, "bilinear" or "bicubic", as in the authors' code.
        blur: False for small images, as the paper for CIFAR-10.
        solarize_probability: 0.2 in the second view of BYOL and its followers.

    The blur kernel spans three standard deviations, not a tenth of the image.

    Reference: Chen et al. 2020, arXiv:2002.05709, appendix A.
    """
    transforms = [
        random_resized_crop(size, scale=scale, interpolation=interpolation),
        horizontal_flip(),
        random_apply(
            color_jitter(
                brightness=0.8 * strength,
                contrast=0.8 * strength,
                saturation=0.8 * strength,
                hue=0.2 * strength,
            ),
            probability=jitter_probability,
        ),
        random_grayscale(probability=grayscale_probability),
    ]
    if blur:
        transforms.append(gaussian_blur(sigma=(0.1, 2.0), probability=blur_probability))
    if solarize_probability:
        transforms.append(random_solarize(probability=solarize_probability))
    return compose(*transforms)


def byol_views(
    size: int | tuple[int, int],
    *,
    scale: tuple[float, float] = (0.08, 1.0),
    interpolation: Interpolation = "bicubic",
    strength: float = 1.0,
    blur: bool = True,
    solarize_probability: float = 0.2,
) -> Transform:
    """BYOL's two views: the first always blurred, the second seldom blurred and sometimes solarized.

    Barlow Twins and VICReg take the same, MoCo v3 too but for bilinear crops.

    Args:
        size: pixels of the views.
        scale: bounds of the crop's share of the area; (0.2, 1.0) for the ResNet-50 of MoCo v3.
        interpolation: of the crops, "bilinear" or "bicubic".
        strength: of the colour jitter; 1: 0.4 for brightness and contrast, 0.2 for saturation, 0.1 for hue.
        blur: False for small images: neither view is blurred.
        solarize_probability: of the second view.

    Reference: Grill et al. 2020, arXiv:2006.07733, appendix B, table 6.
    """
    first, second = (1.0, 0.1) if blur else (0.0, 0.0)
    augment = partial(_byol_augment, size, scale=scale, interpolation=interpolation, strength=strength)
    return two_views(augment(blur=first, solarize=0.0), augment(blur=second, solarize=solarize_probability))


def dino_views(
    size: int | tuple[int, int] = 224,
    local_size: int | tuple[int, int] = 96,
    *,
    num_local: int = 8,
    scale: tuple[float, float] = (0.4, 1.0),
    local_scale: tuple[float, float] = (0.05, 0.4),
) -> Transform:
    """DINO's multi-crop: BYOL's two views of a large part, and small crops of small parts, all bicubic.

    `(key, x) -> (globals [2, ...], locals [num_local, ...])`. Of the local views one half is blurred.

    Args:
        size: pixels of the global views.
        local_size: pixels of the local views.
        num_local: number of local views, 1 or more.
        scale: bounds of a global crop's share of the area; iBOT has (0.25, 1), DINOv2 (0.32, 1).
        local_scale: bounds of a local crop's share; iBOT has (0.05, 0.25), DINOv2 (0.05, 0.32).

    Raises:
        ValueError: if `num_local` is not positive.

    Reference: Caron et al. 2021, arXiv:2104.14294, section 3.1 and appendix E.
    """
    if num_local < 1:
        raise ValueError(f"dino_views expected at least one local view, got {num_local}.")
    global_views = two_views(
        _byol_augment(size, blur=1.0, solarize=0.0, scale=scale),
        _byol_augment(size, blur=0.1, solarize=0.2, scale=scale),
    )
    local = _byol_augment(local_size, blur=0.5, solarize=0.0, scale=local_scale)
    local_views = _repeated(local, num_local)

    def views(key, x):
        global_key, local_key = jax.random.split(key)
        return global_views(global_key, x), local_views(local_key, x)

    return views


def _byol_augment(size, blur, solarize, scale, interpolation="bicubic", strength=1.0):
    jitter = {"brightness": 0.4, "contrast": 0.4, "saturation": 0.2, "hue": 0.1}
    scaled = {kind: strength * amount for kind, amount in jitter.items()}
    transforms = [
        random_resized_crop(size, scale=scale, interpolation=interpolation),
        horizontal_flip(),
        random_apply(color_jitter(**scaled), probability=0.8),
        random_grayscale(probability=0.2),
    ]
    if blur:
        transforms.append(gaussian_blur(sigma=(0.1, 2.0), probability=blur))
    if solarize:
        transforms.append(random_solarize(probability=solarize))
    return compose(*transforms)


def _repeated(augment, num_views):
    """Independent views stacked; traced once, whatever their number."""
    return lambda key, x: jax.vmap(augment, in_axes=(0, None))(jax.random.split(key, num_views), x)
