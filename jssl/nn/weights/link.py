"""How arrays of a PyTorch model and of one here hold the same numbers."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

Path: TypeAlias = tuple[str, ...]
"""Where an array lies in `Variables`: ("params", "block0", "norm1", "scale")."""

ByPath: TypeAlias = Mapping[Path, tuple[int, ...]]
"""The shapes of all arrays of a network."""

Arrays: TypeAlias = tuple[np.ndarray, ...]
Shapes: TypeAlias = tuple[tuple[int, ...], ...]


class Link(NamedTuple):
    """Some tensors of a file and the arrays here that hold the same numbers.

    read: `(tensors, shapes of the arrays) -> arrays`.
    write: `(arrays) -> tensors`, its inverse.
    """

    names: tuple[str, ...]
    paths: tuple[Path, ...]
    read: Callable[[Arrays, Shapes], Arrays]
    write: Callable[[Arrays], Arrays]


class Naming(NamedTuple):
    """What a family of files calls its tensors.

    links: `({path: shape} of the arrays here) -> links`, with the names that such a network needs.
    ignored: beginnings or ends of names that files hold beside the encoder: classifiers, decoders, counters.
    tied: names beside, and the names of the tensors whose numbers they must repeat.
    """

    links: Callable[[ByPath], list[Link]]
    ignored: tuple[str, ...]
    tied: tuple[tuple[str, str], ...] = ()


def same(name: str, path: Path, shape: tuple[int, ...] | None = None) -> Link:
    """An array as it is, up to axes of length 1: `shape` in the file."""
    return Link(
        (name,),
        (path,),
        lambda tensors, shapes: (tensors[0].reshape(shapes[0]),),
        lambda arrays: (arrays[0] if shape is None else arrays[0].reshape(shape),),
    )


def convolution(name: str, path: Path) -> Link:
    """A convolution's kernel: [height, width, in, out] here, [out, in, height, width] there."""
    return Link(
        (name,),
        (path,),
        lambda tensors, _: (tensors[0].transpose(2, 3, 1, 0),),
        lambda arrays: (arrays[0].transpose(3, 2, 0, 1),),
    )


def patch_kernel(name: str, path: Path) -> Link:
    """The kernel of flat patches [size * size * channels, out]; there [out, channels, size, size]."""

    def write(arrays: Arrays) -> Arrays:
        values, out = arrays[0].shape
        channels = square_free(values)
        size = math.isqrt(values // channels)
        return (arrays[0].reshape(size, size, channels, out).transpose(3, 2, 0, 1),)

    def read(tensors: Arrays, shapes: Shapes) -> Arrays:
        return (tensors[0].transpose(2, 3, 1, 0).reshape(shapes[0]),)

    return Link((name,), (path,), read, write)


def square_free(n: int) -> int:
    """The smallest c such that n / c is a square: 3 channels for patches of RGB, 1 for gray ones."""
    return next(c for c in range(1, n + 1) if n % c == 0 and math.isqrt(n // c) ** 2 == n // c)


def rows(names: Sequence[str], path: Path) -> Link:
    """A kernel [in, out] or bias [out]; its outputs are rows there, of one tensor or several (q, k, v)."""
    return Link(
        tuple(names),
        (path,),
        lambda tensors, _: (np.concatenate(tensors, axis=0).T,),
        lambda arrays: tuple(np.split(arrays[0].T, len(names), axis=0)),
    )


def linear(names: Sequence[str], path: Path) -> list[Link]:
    """A linear layer's kernel and bias."""
    return [
        rows([f"{name}.weight" for name in names], (*path, "kernel")),
        rows([f"{name}.bias" for name in names], (*path, "bias")),
    ]


def norm(name: str, path: Path, parts: tuple[str, str] = ("weight", "bias")) -> list[Link]:
    """A norm's scale and bias."""
    scale, bias = parts
    return [same(f"{name}.{scale}", (*path, "scale")), same(f"{name}.{bias}", (*path, "bias"))]


def later_rows(name: str, path: Path, unused: int) -> Link:
    """A table that begins there with rows that are never used: left out here, 0 when written."""

    def write(arrays: Arrays) -> Arrays:
        return (np.pad(arrays[0], ((unused, 0), (0, 0))),)

    return Link((name,), (path,), lambda tensors, _: (tensors[0][unused:],), write)


def batch_norm(name: str, path: Path) -> list[Link]:
    """A batch norm's scale, bias and running statistics."""
    mean, var = (("stats", "batch_stats", *path, part) for part in ("mean", "var"))
    statistics = [same(f"{name}.running_mean", mean), same(f"{name}.running_var", var)]
    return [*norm(name, ("params", *path)), *statistics]


def positions(name: str, grid: Path, cls: Path | None) -> Link:
    """A learned grid [*cells, dim], with the class token's position before it in [1, 1 + cells, dim]."""

    def write(arrays: Arrays) -> Arrays:
        return (np.concatenate([x.reshape(1, -1, x.shape[-1]) for x in arrays], axis=1),)

    def read(tensors: Arrays, shapes: Shapes) -> Arrays:
        if cls is None:
            return (tensors[0].reshape(shapes[0]),)
        return tensors[0][:, :1], tensors[0][:, 1:].reshape(shapes[1])

    return Link((name,), (grid,) if cls is None else (cls, grid), read, write)
