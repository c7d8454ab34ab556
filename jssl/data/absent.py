"""Data sets that needn't be there: how many examples they have, and of which shape, is enough for a plan."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

import numpy as np

from jssl.data.memory import arrays
from jssl.data.source import DataSet, Source


class Known(NamedTuple):
    """A data set of images: their number and pixels; `size` is None where they differ."""

    train: int
    test: int
    size: int | None
    channels: int = 3


KNOWN = {
    "cifar10": Known(50_000, 10_000, 32),
    "cifar100": Known(50_000, 10_000, 32),
    "stl10": Known(5_000, 8_000, 96),
    "imagenet2012": Known(1_281_167, 50_000, None),
    "fashion_mnist": Known(60_000, 10_000, 28, channels=1),
}
"""By their names in TFDS, whose catalogue has the figures."""

_absent: ContextVar[bool] = ContextVar("absent", default=False)


@contextmanager
def absent() -> Iterator[None]:
    """Within it, `dataset` reads no files: known data sets are as large as they are, and all of zeros.

    `text.stored` reads none either.
    """
    token = _absent.set(True)
    try:
        yield
    finally:
        _absent.reset(token)


def is_absent() -> bool:
    """Whether it is within `absent`."""
    return _absent.get()


def stand_in(name: str, size: int | None) -> DataSet | None:
    """Zeros of the data set's shapes, without memory for them; None outside of `absent`.

    Raises:
        ValueError: it is not known, or its images differ in size and none is given.
    """
    if not is_absent():
        return None
    known = KNOWN.get(name.partition(":")[0])
    if known is None:
        raise ValueError(f'expected one of the data sets {", ".join(sorted(KNOWN))} for a plan, got "{name}"')
    pixels = size or known.size
    if pixels is None:
        raise ValueError(f'the images of "{name}" differ in size: give them one, dataset(..., size=224)')

    def zeros(num: int) -> Source:
        images = np.broadcast_to(np.uint8(0), (num, pixels, pixels, known.channels))
        return arrays(image=images, label=np.broadcast_to(np.int32(0), (num,)))

    return DataSet(zeros(known.train), zeros(known.test))
