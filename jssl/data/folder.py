"""Folders of image files."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from jssl.data.images import decode
from jssl.data.source import Example, checked_index

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})


class Listing(NamedTuple):
    """The image files of a folder; `labels` is None where the folder has no class sub-folders."""

    files: list[Path]
    labels: np.ndarray | None
    classes: tuple[str, ...]


def image_files(files: Sequence[Path]) -> list[Path]:
    """The images among the files, sorted, without hidden ones."""
    return sorted(
        f for f in files if f.suffix.lower() in SUFFIXES and not f.name.startswith(".") and f.is_file()
    )


def list_classes(root: Path, classes: Sequence[str] | None) -> Listing:
    """The images below the sub-folders of a folder, numbered by the sub-folders' sorted names."""
    folders = sorted(f for f in root.iterdir() if f.is_dir() and not f.name.startswith("."))
    found = {f.name: files for f in folders if (files := image_files(list(f.rglob("*"))))}
    names = tuple(found) if classes is None else tuple(classes)
    if unknown := sorted(set(found) - set(names)):
        raise ValueError(f"{root}: expected sub-folders among classes={names}, got also {unknown}")
    files = [file for name in found for file in found[name]]
    labels = [names.index(name) for name in found for _ in found[name]]
    return Listing(files, np.asarray(labels, np.int32), names)


def list_images(root: Path, classes: Sequence[str] | None) -> Listing:
    """The images of a folder, either all in class sub-folders or all directly in it."""
    if not root.is_dir():
        raise ValueError(f"expected a folder of images, got {root}, which is no folder")
    flat = image_files(list(root.iterdir()))
    nested = list_classes(root, classes)
    if flat and nested.files:
        raise ValueError(
            f"{root}: expected images either in class sub-folders or directly in the folder, got both "
            f"({nested.files[0].relative_to(root)} and {flat[0].name}); move one kind away"
        )
    if not flat and not nested.files:
        raise ValueError(f"{root}: expected images ({', '.join(sorted(SUFFIXES))}), got none")
    return Listing(flat, None, ()) if flat else nested


class ImageFolder:
    """Image files, decoded when they are read."""

    def __init__(self, listing: Listing, size: int | None):
        self.files, self.labels, self.classes = listing
        self.size = size

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Example:
        position = checked_index(index, len(self))
        example = {"image": self._read(self.files[position])}
        if self.labels is not None:
            example["label"] = np.asarray(self.labels[position])
        return example

    def _read(self, file: Path) -> np.ndarray:
        try:
            return decode(file, size=self.size, upright=True)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise ValueError(f"cannot read the image {file}: {error}; mend or remove it") from error


def image_folder(
    path: str | Path, *, size: int | None = None, classes: Sequence[str] | None = None
) -> ImageFolder:
    """A source of the image files in a folder.

    Sub-folders of the folder are classes: `path/cat/1.jpg`, `path/dog/more/2.png`. Images directly in the
    folder have no labels. Other files, and hidden ones, are ignored.

    Args:
        path: the folder.
        size: brings the images to [size, size, 3]: shorter side to `size`, centre cut. None keeps their
            sizes, which must then be equal to be batched.
        classes: the classes in the order of their labels; None: the sub-folders sorted by name. Pass the
            training folder's `classes` for a test folder, so that the labels agree.

    Returns:
        A source of {"image": uint8 [height, width, 3], RGB, upright as EXIF says; "label": int32 []}, with
        the names of the classes as its `classes`.

    Raises:
        ValueError: no folder, no images, images both in and beside sub-folders, or a sub-folder that is not
            among `classes`; at reading: a file that cannot be decoded, with its name.
    """
    return ImageFolder(list_images(Path(path).expanduser(), classes), size)
