"""Weights that two frameworks draw alike, from a parameter's PyTorch name and shape, so none is stored."""

import math
import zlib

import numpy as np


def draw(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Float32 numbers of a useful size: large enough that a wrong epsilon or GELU is seen."""
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    if name.endswith("running_var"):
        return generator.uniform(0.5, 1.5, shape).astype(np.float32)
    numbers = generator.normal(0, 1, shape)
    if len(shape) > 1:
        return (numbers * math.sqrt(2 / math.prod(shape[1:]))).astype(np.float32)
    scale = name.endswith("weight")
    return (scale + 0.3 * numbers).astype(np.float32)


def normal(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """N(0, 0.3) whatever the parameter, but variances in [0.5, 1.5]."""
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    if name.endswith("running_var"):
        return generator.uniform(0.5, 1.5, shape).astype(np.float32)
    return generator.normal(0, 0.3, shape).astype(np.float32)


def images(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 1, shape).astype(np.float32)
