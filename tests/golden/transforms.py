"""Golden values of the image transforms, computed by torchvision and stored in transforms.npz.

Run it in an environment of its own with `torch==2.14.1` and `torchvision==0.29.1`, which jssl never uses:

    python tests/golden/transforms.py

A key of the file is `transform/case`; images are [height, width, channels], the inputs those of `image`.
"""

from pathlib import Path

import numpy as np
import torch
from torchvision.transforms.v2 import functional

CROPS = ((3, 5, 13, 9), (0, 0, 16, 20), (10, 16, 4, 3), (1, 2, 15, 18))
SIZES = ((12, 12), (36, 30), (16, 20), (5, 4))
FACTORS = (0.0, 0.4, 1.0, 1.7)
SHIFTS = (-0.5, -0.13, 0.0, 0.2, 0.5)
SIGMAS = ((0.1, 5), (0.7, 5), (2.0, 13), (1.3, 23))
ANGLES = (0.0, 17.0, -90.0, 130.0)


def image(channels: int) -> np.ndarray:
    """Smooth waves and noise of all saturations, with black, white, gray and pure pixels in the corners."""
    rng = np.random.default_rng(channels)
    rows, columns = np.arange(16)[:, None, None], np.arange(20)[None, :, None]
    phase, pace = rng.uniform(0, 6, channels), rng.uniform(0.1, 0.5, channels)
    waves = 0.5 + 0.5 * np.sin(pace * rows + 0.3 * columns + phase)
    x = np.clip(waves + rng.normal(scale=0.15, size=waves.shape), 0, 1)
    x[0, 0], x[0, -1], x[-1, 0] = 0.0, 1.0, 0.5
    x[-1, -1] = np.eye(3)[0][:channels]
    return x.astype(np.float32)


def stored(x: torch.Tensor) -> np.ndarray:
    return x.permute(1, 2, 0).numpy().astype(np.float32)


def cases(x: torch.Tensor):
    for crop in CROPS:
        for size in SIZES:
            for mode in ("bilinear", "bicubic"):
                interpolation = functional.InterpolationMode(mode)
                resized = functional.resized_crop(x, *crop, size=list(size), interpolation=interpolation)
                yield f"resized_crop/{crop}/{size}/{mode!r}", resized
    for factor in FACTORS:
        yield f"adjust_brightness/{factor}", functional.adjust_brightness(x, factor)
        yield f"adjust_contrast/{factor}", functional.adjust_contrast(x, factor)
        yield f"adjust_saturation/{factor}", functional.adjust_saturation(x, factor)
    for shift in SHIFTS:
        yield f"adjust_hue/{shift}", functional.adjust_hue(x, shift)
    for sigma, kernel_size in SIGMAS:
        yield f"blur/{sigma}/{kernel_size}", functional.gaussian_blur(x, [kernel_size] * 2, [sigma] * 2)
    for angle in ANGLES:
        bilinear = functional.InterpolationMode.BILINEAR
        yield f"rotate/{angle}", functional.rotate(x, angle, interpolation=bilinear)
    yield "solarize/0.5", functional.solarize(x, 0.5)
    yield "grayscale", functional.rgb_to_grayscale(x, num_output_channels=x.shape[0])
    yield "center_crop/(11, 14)", functional.center_crop(x, [11, 14])
    yield "erase", functional.erase(x, 4, 5, 9, 13, torch.full((x.shape[0], 9, 13), 0.25))


def main() -> None:
    arrays = {}
    for channels in (1, 3):
        x = torch.from_numpy(image(channels)).permute(2, 0, 1)
        arrays |= {f"{channels}/{name}": stored(value) for name, value in cases(x)}
        arrays[f"{channels}/image"] = stored(x)
    np.savez_compressed(Path(__file__).with_suffix(".npz"), **arrays)


if __name__ == "__main__":
    main()
