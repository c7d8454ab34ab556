"""Makes the embedded sample of Fashion-MNIST out of the four original IDX files.

    python jssl/data/embedded/prepare.py DIR_WITH_IDX_FILES [DESTINATION]

The first 10,000 training and the first 2,000 test images, in their original order, are written as a TFDS data
set in ArrayRecord format. The IDX files (`train-images-idx3-ubyte.gz`, ...) come from
https://github.com/zalandoresearch/fashion-mnist.
"""

import argparse
import gzip
import hashlib
import io
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


class Part(NamedTuple):
    """Which examples of the original make a split, and the SHA-256 of their images and labels."""

    prefix: str
    size: int
    digest: str


SAMPLE = {
    "train": Part("train", 10_000, "b134f74849da1a1bcd32ee8c73b764a5657b0f25350e9ed3b4a4e8cb8505b14b"),
    "test": Part("t10k", 2_000, "5e916b2e91811fe46845f5b34d536fd2cb7788e5c5bc5531b5e3b9ee89e9bad9"),
}


def read_idx(path: Path, header: int) -> np.ndarray:
    """The bytes of a gzipped IDX file behind its header."""
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=header)


def read_part(source: Path, part: Part) -> tuple[np.ndarray, np.ndarray]:
    """The images [size, 28, 28, 1] and labels [size] of a part; refuses any but the original."""
    images = read_idx(source / f"{part.prefix}-images-idx3-ubyte.gz", header=16).reshape(-1, 28, 28, 1)
    labels = read_idx(source / f"{part.prefix}-labels-idx1-ubyte.gz", header=8)
    images, labels = images[: part.size], labels[: part.size]
    digest = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
    if digest != part.digest:
        raise ValueError(f"{source}: expected the original Fashion-MNIST, got other {part.prefix} files")
    return images, labels


def png(image: np.ndarray) -> io.BytesIO:
    """The image as a PNG file; TFDS would need TensorFlow to encode an array."""
    file = io.BytesIO()
    Image.fromarray(image[..., 0]).save(file, "PNG", compress_level=9, compress_type=1)
    file.seek(0)
    return file


class FashionMnist(tfds.core.GeneratorBasedBuilder):
    """The sample as TFDS sees it: the name, features and version of the whole data set."""

    name = "fashion_mnist"
    VERSION = tfds.core.Version("3.0.1")

    def __init__(self, *, source: Path, **kwargs: Any):
        self.source = source
        super().__init__(**kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description="The first 10,000 training and 2,000 test images of Fashion-MNIST, in their order.",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(28, 28, 1)),
                    "label": tfds.features.ClassLabel(names=CLASSES),
                }
            ),
            supervised_keys=("image", "label"),
            homepage="https://github.com/zalandoresearch/fashion-mnist",
            citation="Xiao, Rasul, Vollgraf 2017, arXiv:1708.07747",
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator]:
        return {split: self._generate_examples(part) for split, part in SAMPLE.items()}

    def _generate_examples(self, part: Part) -> Iterator[tuple[int, dict]]:
        images, labels = read_part(self.source, part)
        for index, (image, label) in enumerate(zip(images, labels, strict=True)):
            yield index, {"image": png(image), "label": int(label)}


def prepare(source: Path, destination: Path) -> Path:
    """Writes `destination/fashion_mnist/<version>` and returns it."""
    tfds.disable_progress_bar()
    with tempfile.TemporaryDirectory() as folder:
        builder = FashionMnist(source=source, data_dir=folder, file_format="array_record")
        builder.download_and_prepare()
        target = destination / "fashion_mnist" / str(builder.version)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(builder.data_path, target)
    return target


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make the embedded sample of Fashion-MNIST.")
    parser.add_argument("source", type=Path, help="folder with the four original IDX files, gzipped")
    parser.add_argument("destination", type=Path, nargs="?", default=Path(__file__).parent)
    arguments = parser.parse_args()
    print(prepare(arguments.source, arguments.destination))
