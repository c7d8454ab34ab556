"""Data sets by name: training and test sources with the names of the classes."""

import os
from pathlib import Path
from weakref import WeakValueDictionary

from jssl.data.absent import stand_in
from jssl.data.memory import cached
from jssl.data.prepared import find
from jssl.data.records import Records
from jssl.data.source import DataSet, Source

EMBEDDED = Path(__file__).parent / "embedded" / "fashion_mnist" / "3.0.1"

CACHE_LIMIT = 2**30
"""Bytes: a source whose decoded examples take less is kept in memory."""


def fits(source: Records) -> bool:
    """Whether all decoded examples fit below the limit; never where their shapes differ."""
    shapes = [feature.shape for feature in source.features.values()]
    if source.size is None and any(None in shape for shape in shapes):
        return False
    return len(source) * sum(values.nbytes for values in source[0].values()) < CACHE_LIMIT


_DECODED: WeakValueDictionary[tuple, Source] = WeakValueDictionary()


def in_memory(source: Records) -> Source:
    """The source, decoded where that is cheap: once for all that have the same split open."""
    if not fits(source):
        return source
    return _DECODED.setdefault(source.arguments, cached(source))


def labelled(source: Source) -> bool:
    """Whether the labels are known: TFDS writes -1 where a split comes without."""
    return int(source[0].get("label", 0)) >= 0


def open_splits(folder: Path, train: str, test: str | None, size: int | None) -> DataSet:
    """The training and the test split of a prepared folder."""
    source = Records(folder, train, None, size)
    candidates = [test] if test else [split for split in ("test", "validation") if split in source.splits]
    opened = (Records(folder, split, None, size) for split in candidates)
    held_out = next((records for records in opened if test or labelled(records)), None)
    return DataSet(in_memory(source), in_memory(held_out) if held_out else None, source.classes)


def dataset(
    name: str,
    data_dir: str | os.PathLike | None = None,
    *,
    train: str = "train",
    test: str | None = None,
    size: int | None = None,
) -> DataSet:
    """A prepared TFDS data set with its classes: `dataset("cifar10", data_dir)`.

    Sources whose decoded examples take less than 1 GiB are decoded once, when first read, and kept in memory.

    Args:
        name: as for `tfds`.
        data_dir: as for `tfds`.
        train: the training split.
        test: the test split; None: "test", else "validation", whichever is there and has labels (the test
            split of ImageNet has none).
        size: brings images to [size, size], as for `tfds`.

    Raises:
        ValueError: as `tfds`.
    """
    return stand_in(name, size) or open_splits(find(name, data_dir), train, test, size)


def fashion_mnist(data_dir: str | os.PathLike | None = None) -> DataSet:
    """Fashion-MNIST: grey images [28, 28, 1] of ten kinds of clothes.

    Args:
        data_dir: None: the sample that comes with jssl, the first 10,000 training and the first 2,000 test
            images; else where TFDS prepared the whole data set, 60,000 and 10,000 images.

    Reference: Xiao, Rasul, Vollgraf 2017, arXiv:1708.07747.
    """
    if data_dir is None:
        return open_splits(EMBEDDED, "train", "test", None)
    return dataset("fashion_mnist", data_dir)
