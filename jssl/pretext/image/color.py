"""Changes of brightness, contrast, saturation and hue, and what else acts on a pixel's value alone."""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jssl.core import Transform
from jssl.pretext.compose import random_apply
from jssl.pretext.fence import fenced
from jssl.pretext.image.checks import check_image, check_probability, factor_range

Image = Float[Array, "height width channels"]
Plane = Float[Array, "height width"]
Factor = Float[Array, ""] | float

KINDS = ("brightness", "contrast", "saturation", "hue")


def luminance(x: Image) -> Plane:
    """0.2989 r + 0.587 g + 0.114 b (ITU-R 601, as torchvision); a single channel is its own luminance."""
    if x.shape[-1] == 1:
        return x[..., 0]
    return 0.2989 * x[..., 0] + 0.587 * x[..., 1] + 0.114 * x[..., 2]


def grayscale(x: Image) -> Image:
    """The luminance in all channels."""
    check_image(x, "grayscale")
    return jnp.broadcast_to(luminance(x)[..., None], x.shape)


def adjust_brightness(x: Image, factor: Factor) -> Image:
    """clip(factor x, 0, 1)."""
    check_image(x, "adjust_brightness")
    return _blend(x, factor, jnp.zeros((1, 1, 1), x.dtype))


def adjust_contrast(x: Image, factor: Factor) -> Image:
    """clip(factor x + (1 - factor) m, 0, 1), m the image's mean luminance."""
    check_image(x, "adjust_contrast")
    return _blend(x, factor, jnp.mean(luminance(x)).reshape(1, 1, 1))


def adjust_saturation(x: Image, factor: Factor) -> Image:
    """clip(factor x + (1 - factor) luminance, 0, 1); a single channel is returned as it is."""
    check_image(x, "adjust_saturation")
    return x if x.shape[-1] == 1 else _blend(x, factor, luminance(x)[..., None])


def adjust_hue(x: Image, shift: Factor) -> Image:
    """Turn the hue by `shift` of the whole circle, in [-1/2, 1/2]; a single channel is returned as it is.

    With V = max(r, g, b), m = min(r, g, b), C = V - m and the hue h in units of C, so that the circle is 6 C
    long and nothing is divided: each channel is m + clip(2 C - d, 0, C), d the distance on the circle between
    h + 6 C shift and the channel's own hue (0 for red, 2 C for green, -2 C for blue).
    """
    check_image(x, "adjust_hue")
    if x.shape[-1] == 1:
        return x
    r, g, b = x[..., 0], x[..., 1], x[..., 2]
    value = _larger(_larger(r, g), b)
    minimum = _smaller(_smaller(r, g), b)
    chroma = value - minimum
    hue = jnp.where(value == r, g - b, jnp.where(value == g, 2 * chroma + b - r, r - g - 2 * chroma))
    hue = hue + 6 * jnp.asarray(shift, x.dtype) * chroma
    hue = jnp.where(hue > 3 * chroma, hue - 6 * chroma, jnp.where(hue < -3 * chroma, hue + 6 * chroma, hue))
    minimum, chroma, hue = minimum[..., None], chroma[..., None], hue[..., None]
    channel_hue = jnp.array([0, 2, -2], x.dtype)[None, None] * chroma
    # 3 C - |3 C - |t|| is the distance on the circle for differences t in [-6 C, 6 C].
    closeness = jnp.abs(3 * chroma - jnp.abs(hue - channel_hue)) - chroma
    return minimum + _smaller(_larger(closeness, jnp.zeros_like(closeness)), chroma)


def solarize(x: Image, threshold: Factor) -> Image:
    """1 - x where x >= threshold, else x."""
    check_image(x, "solarize")
    return jnp.where(x >= threshold, 1 - x, x)


def color_jitter(
    *,
    brightness: float | tuple[float, float] = 0.0,
    contrast: float | tuple[float, float] = 0.0,
    saturation: float | tuple[float, float] = 0.0,
    hue: float | tuple[float, float] = 0.0,
) -> Transform:
    """Change brightness, contrast, saturation and hue by random factors, in a random order.

    Args:
        brightness, contrast, saturation: strength s >= 0, the factor is then uniform in
            [max(0, 1 - s), 1 + s]; or the factor's bounds. 0 leaves this change out.
        hue: strength in [0, 1/2], the shift is then uniform in [-hue, hue] of the circle; or its bounds.

    Returns:
        A transform of one float image in [0, 1]. All orders of the changes are equally likely. Of a single
        channel only brightness and contrast change.

    Raises:
        ValueError: for a negative strength or a hue beyond 1/2.
    """
    bounds = {
        "brightness": factor_range(brightness, "brightness"),
        "contrast": factor_range(contrast, "contrast"),
        "saturation": factor_range(saturation, "saturation"),
        "hue": _hue_range(hue),
    }
    neutral = {"brightness": 1.0, "contrast": 1.0, "saturation": 1.0, "hue": 0.0}
    active = tuple(kind for kind in KINDS if bounds[kind] != (neutral[kind], neutral[kind]))

    def transform(key, x):
        check_image(x, "color_jitter")
        kinds = active if x.shape[-1] == 3 else tuple(k for k in active if k in ("brightness", "contrast"))
        if not kinds:
            return x
        order, factors = draw_jitter(key, [bounds[kind] for kind in kinds])
        adjust = fenced(partial(_adjust, kinds=kinds))
        for place in range(len(kinds)):
            x = adjust(x, order[place], factors[order[place]])
        return x

    return transform


def draw_jitter(key, bounds):
    """A random order of the changes, all equally likely, and a uniform factor for each, by its place."""
    uniform = jax.random.uniform(key, (len(bounds) + 1,))
    low, high = jnp.array(bounds, jnp.float32).T
    orders = jnp.array(list(itertools.permutations(range(len(bounds)))))
    return orders[jnp.floor(uniform[0] * len(orders)).astype(jnp.int32)], low + (high - low) * uniform[1:]


def random_grayscale(*, probability: float = 0.2) -> Transform:
    """Replace all channels by the luminance with a probability; a single channel stays as it is."""
    return random_apply(lambda key, x: grayscale(x), probability=probability)


def random_solarize(*, threshold: float = 0.5, probability: float = 0.2) -> Transform:
    """Invert the values at and above the threshold with a probability."""
    return random_apply(lambda key, x: solarize(x, threshold), probability=probability)


def normalize(*, mean: float | tuple[float, ...], std: float | tuple[float, ...]) -> Transform:
    """(x - mean) / std, each channel with its own mean and standard deviation (or all with one).

    Raises:
        ValueError: if a standard deviation is not positive, or their number is not that of the channels.
    """
    means, stds = np.atleast_1d(mean), np.atleast_1d(std)
    if np.any(stds <= 0):
        raise ValueError(f"normalize expected positive standard deviations, got {std}.")

    def transform(key, x):
        check_image(x, "normalize")
        if {means.size, stds.size} - {1, x.shape[-1]}:
            raise ValueError(f"normalize expected {x.shape[-1]} means and deviations, got {mean} and {std}.")
        return (x - jnp.asarray(means, x.dtype)[None, None]) / jnp.asarray(stds, x.dtype)[None, None]

    return transform


def gaussian_noise(*, std: float | tuple[float, float] = 0.1, probability: float = 1.0) -> Transform:
    """Add normal noise, its standard deviation fixed or drawn uniformly from bounds, and clip to [0, 1]."""
    check_probability(probability, "gaussian_noise")
    low, high = (std, std) if isinstance(std, int | float) else std
    if not 0 <= low <= high:
        raise ValueError(f"gaussian_noise expected std >= 0 or bounds 0 <= low <= high, got {std}.")

    def transform(key, x):
        check_image(x, "gaussian_noise")
        std_key, noise_key = jax.random.split(key)
        scale = jax.random.uniform(std_key, (), x.dtype, low, high)
        return _clip(x + scale * jax.random.normal(noise_key, x.shape, x.dtype))

    return random_apply(transform, probability=probability)


def _adjust(x, index, factor, kinds):
    """The change whose place in `kinds` is `index`, a traced number.

    Brightness, contrast and saturation blend with black, the mean luminance and the luminance, so one blend
    does all three; the hue costs about the same, and is computed and selected where it can occur.
    """

    def chosen(kind):
        return (index == kinds.index(kind)).astype(x.dtype) if kind in kinds else jnp.zeros((), x.dtype)

    gray = luminance(x)
    target = chosen("saturation") * gray + chosen("contrast") * jnp.mean(gray)
    blended = _blend(x, factor, target[..., None])
    if "hue" not in kinds:
        return blended
    return jnp.where(index == kinds.index("hue"), adjust_hue(x, factor), blended)


def _blend(x, factor, other):
    factor = jnp.asarray(factor, x.dtype)
    return _clip(factor * x + (1 - factor) * other)


# Comparisons compile to one vector instruction, the NaN rules of jnp.maximum and jnp.clip to four; this form
# is three times as fast on CPUs and still passes a NaN in the last argument on.
def _clip(x):
    x = jnp.where(x < 0, jnp.zeros((), x.dtype), x)
    return jnp.where(x > 1, jnp.ones((), x.dtype), x)


def _larger(a, b):
    return jnp.where(a > b, a, b)


def _smaller(a, b):
    return jnp.where(a < b, a, b)


def _hue_range(hue):
    low, high = (-hue, hue) if isinstance(hue, int | float) else hue
    if not -0.5 <= low <= high <= 0.5:
        raise ValueError(f"hue expected a strength in [0, 0.5] or bounds within [-0.5, 0.5], got {hue}.")
    return low, high
