"""Colours as lightness and two opponent axes (CIE Lab), and those axes in classes."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

RGB_TO_XYZ = np.array(
    [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]]
)
WHITE = np.array([0.95047, 1.0, 1.08883])
"""XYZ of the illuminant D65 for the observer at 2 degrees."""


def rgb_to_lab(rgb: Float[Array, "*shape 3"]) -> Float[Array, "*shape 3"]:
    """CIE Lab of sRGB colours.

    `L = 116 f(Y) - 16, a = 500 (f(X) - f(Y)), b = 200 (f(Y) - f(Z))`, with X, Y, Z relative to white and f
    the cube root, a straight line near 0.

    Args:
        rgb: in [0, 1].

    Returns:
        Lightness in [0, 100], a (green to red) in about [-86, 98] and b (blue to yellow) in about [-108, 94].

    Reference: CIE 1976 L*a*b*, illuminant D65 at 2 degrees; IEC 61966-2-1 for sRGB. Equal to scikit-image's.
    """
    bright = ((jnp.maximum(rgb, 0.04045) + 0.055) / 1.055) ** 2.4
    linear = jnp.where(rgb > 0.04045, bright, rgb / 12.92)
    xyz = _times(linear, RGB_TO_XYZ / WHITE[:, None])
    f = jnp.where(xyz > 0.008856, jnp.cbrt(jnp.maximum(xyz, 0.008856)), 7.787 * xyz + 16 / 116)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return jnp.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def lab_to_rgb(lab: Float[Array, "*shape 3"]) -> Float[Array, "*shape 3"]:
    """The sRGB colours in [0, 1] of CIE Lab, the inverse of `rgb_to_lab`; what sRGB lacks is clipped."""
    y = (lab[..., 0] + 16) / 116
    f = jnp.stack([y + lab[..., 1] / 500, y, jnp.maximum(y - lab[..., 2] / 200, 0.0)], axis=-1)
    xyz = jnp.where(f > 0.2068966, f**3, (f - 16 / 116) / 7.787)
    linear = _times(xyz, np.linalg.inv(RGB_TO_XYZ) * WHITE)
    bright = 1.055 * jnp.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
    return jnp.clip(jnp.where(linear > 0.0031308, bright, 12.92 * linear), 0.0, 1.0)


def lightness(rgb: Float[Array, "*shape 3"]) -> Float[Array, "*shape 3"]:
    """The colour's gray of the same lightness, as an RGB colour: what a colourist is given."""
    return lab_to_rgb(rgb_to_lab(rgb) * jnp.array([1.0, 0.0, 0.0]).reshape((1,) * (rgb.ndim - 1) + (3,)))


def color_classes(step: float = 10.0) -> Float[np.ndarray, "classes 2"]:
    """The centres of a square grid of (a, b) whose cells hold a colour of sRGB, the gray one among them.

    Args:
        step: of the grid, in units of a and b, above 0. The paper's 10 gives some 260 classes here; its own
            list, made from the colours within 10 of a centre, has 313.

    Reference: Zhang et al. 2016, arXiv:1603.08511, section 2.1 and figure 3.
    """
    if not step > 0:
        raise ValueError(f"color_classes expected a step above 0, got {step}.")
    levels = np.linspace(0, 1, 48)
    # The colours of the largest saturation lie on the cube's faces, those of the smallest within.
    cube = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, 3)
    with jax.ensure_compile_time_eval():
        ab = np.asarray(jax.jit(rgb_to_lab)(jnp.asarray(cube, jnp.float32)))[:, 1:]
    return (step * np.unique(np.round(ab / step), axis=0)).astype(np.float32)


def soft_color_classes(
    ab: Float[Array, "*shape 2"],
    centers: Float[np.ndarray, "classes 2"],
    *,
    neighbours: int = 5,
    sigma: float = 5.0,
) -> Float[Array, "*shape classes"]:
    """Each colour as a distribution over its nearest classes, by a Gaussian of the distance.

    Args:
        ab: the colours' a and b.
        centers: of the classes, by `color_classes`.
        neighbours: number of nearest classes; more where several are equally far.
        sigma: of the Gaussian, in units of a and b, above 0.

    Reference: Zhang et al. 2016, arXiv:1603.08511, section 2.1.
    """
    if not 1 <= neighbours <= len(centers) or not sigma > 0:
        raise ValueError(
            f"soft_color_classes expected 1 to {len(centers)} neighbours and sigma above 0, "
            f"got {neighbours} and {sigma}."
        )
    lead = (1,) * (ab.ndim - 1)
    a, b = (jnp.asarray(axis, ab.dtype).reshape(*lead, -1) for axis in np.asarray(centers).T)
    squared = (ab[..., :1] - a) ** 2 + (ab[..., 1:] - b) ** 2
    farthest = -jax.lax.top_k(-squared, neighbours)[0][..., -1:]
    logits = jnp.where(squared <= farthest, -squared / (2 * sigma**2), -jnp.inf)
    return jax.nn.softmax(logits, axis=-1)


def _times(x: Float[Array, "*shape 3"], matrix: Float[np.ndarray, "3 3"]) -> Float[Array, "*shape 3"]:
    weights = jnp.asarray(matrix, x.dtype)
    return jnp.einsum("...c,dc->...d", x, weights, precision=jax.lax.Precision.HIGHEST)
