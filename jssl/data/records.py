"""Data sets prepared by TensorFlow Datasets, read without TensorFlow."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jssl.data.images import decode
from jssl.data.prepared import find
from jssl.data.source import Example, checked_index


def encoded(feature: Any) -> bool:
    """Whether it is an image of 8 bits: those are decoded by jssl, the same with and without OpenCV."""
    import tensorflow_datasets as tfds

    return isinstance(feature, tfds.features.Image) and feature.np_dtype == np.uint8


def numeric(feature: Any) -> bool:
    """Whether the feature is an image, or numbers of a fixed shape: what a batch can hold."""
    import tensorflow_datasets as tfds

    if encoded(feature):
        return True
    fixed = isinstance(feature, tfds.features.Tensor) and None not in feature.shape
    return fixed and np.dtype(feature.np_dtype).kind in "biuf"


def chosen(features: Any, names: Sequence[str] | None) -> tuple[str, ...]:
    """The names to read: those asked for, or all that a batch can hold."""
    if names is None:
        return tuple(sorted(name for name in features if numeric(features[name])))
    if unknown := sorted(set(names) - set(features)):
        raise ValueError(f"expected features among {sorted(features)}, got {unknown}")
    return tuple(names)


def check_split(split: str, builder: Any) -> None:
    """Refuses splits that are not there; "train[:10%]" and "train+test" speak of those that are."""
    asked = {part.split("[")[0].strip() for part in split.split("+")}
    if unknown := sorted(asked - {*builder.info.splits, "all"}):
        raise ValueError(
            f"expected a split of {builder.info.full_name} among {sorted(builder.info.splits)}, got {unknown}"
        )


class Records:
    """A split of a prepared TFDS data set. Opened anew in each process that it is sent to."""

    def __init__(self, folder: Path, split: str, features: Sequence[str] | None, size: int | None):
        import tensorflow_datasets as tfds

        self.arguments = (folder, split, features, size)
        self.size = size
        builder = tfds.builder_from_directory(folder)
        check_split(split, builder)
        self.splits = tuple(builder.info.splits)
        self.all_features = builder.info.features
        self.features = {name: self.all_features[name] for name in chosen(self.all_features, features)}
        self.images = {name for name, feature in self.all_features.items() if encoded(feature)}
        decoders = {name: tfds.decode.SkipDecoding() for name in self.images}
        self.records = builder.as_data_source(split, decoders=decoders)

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> Example:
        return self._decoded(self.records[checked_index(index, len(self))])

    def __getitems__(self, indices: Sequence[int]) -> list[Example]:
        return [self._decoded(record) for record in self.records.__getitems__(indices)]

    def __reduce__(self) -> tuple:
        return Records, self.arguments

    def _decoded(self, record: dict) -> Example:
        return {name: self._value(name, record[name]) for name in self.features}

    def _value(self, name: str, value: Any) -> np.ndarray:
        feature = self.features[name]
        if name in self.images:
            return decode(value, channels=feature.shape[-1] or 3, size=self.size)
        return np.asarray(value, np.int32 if hasattr(feature, "names") else None)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, where there are labels."""
        labels = {name: f for name, f in self.all_features.items() if hasattr(f, "names")}
        label = labels.get("label") or (next(iter(labels.values())) if len(labels) == 1 else None)
        return tuple(label.names) if label is not None else ()


def tfds(
    name: str,
    *,
    split: str,
    data_dir: str | os.PathLike | None = None,
    size: int | None = None,
    features: Sequence[str] | None = None,
) -> Records:
    """A split of any prepared TFDS data set, in ArrayRecord format, read without TensorFlow.

    Args:
        name: "cifar10", "imagenet_resized/64x64", "cifar10:3.0.2"; the newest version by default.
        split: "train", or an expression of TFDS such as "train[:10%]" or "train+test".
        data_dir: the folder that TFDS prepared into, or one that holds it as `tfds`; None: TFDS's own
            default, $TFDS_DATA_DIR or ~/tensorflow_datasets.
        size: brings images to [size, size]: shorter side to `size`, centre cut. None keeps their sizes,
            which must then be equal to be batched.
        features: the features to read; None: all images and all numbers of a fixed shape. Text comes as
            bytes.

    Returns:
        A source of {"image": uint8 [height, width, channels], "label": int32 [], ...}, with the names of the
        classes as its `classes`.

    Raises:
        ValueError: a name that TFDS does not know, a data set that is not prepared, or not as ArrayRecord; a
            split or a feature that it does not have.
    """
    return Records(find(name, data_dir), split, features, size)
