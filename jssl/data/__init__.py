"""Data on the host: random-access sources, and one pipeline from a source to batches."""

from jssl.data import text
from jssl.data.absent import absent
from jssl.data.folder import image_folder
from jssl.data.images import resize
from jssl.data.indexed import indexed
from jssl.data.labelled_text import (
    Labelled,
    LabelledSet,
    Pairs,
    Sick,
    Tagged,
    TaggedSet,
    bbc,
    conll,
    sick,
    sst2,
    sts_pairs,
    wnut17,
)
from jssl.data.memory import arrays, cached
from jssl.data.named import dataset, fashion_mnist
from jssl.data.ordered import in_order
from jssl.data.pipeline import Loader, loader
from jssl.data.records import tfds
from jssl.data.source import DataSet, Example, Source, as_arrays, mapped, subset

__all__ = [
    "DataSet",
    "Example",
    "Labelled",
    "LabelledSet",
    "Loader",
    "Pairs",
    "Sick",
    "Source",
    "Tagged",
    "TaggedSet",
    "absent",
    "arrays",
    "as_arrays",
    "bbc",
    "cached",
    "conll",
    "dataset",
    "fashion_mnist",
    "image_folder",
    "in_order",
    "indexed",
    "loader",
    "mapped",
    "resize",
    "sick",
    "sst2",
    "sts_pairs",
    "subset",
    "text",
    "tfds",
    "wnut17",
]
