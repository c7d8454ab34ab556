"""TFDS data sets without TensorFlow: the embedded sample, CIFAR-10, and what is missing."""

import hashlib
import importlib.util
import io
import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from jssl import data
from jssl.data.named import EMBEDDED

FIRST_IMAGES = {"train": "5bd44e331a6d6998", "test": "ffc7351ed0f8bae5"}
DATA_DIR = Path(os.environ.get("JSSL_DATA_DIR", "~/.cache/jssl-data")).expanduser()


@pytest.fixture(scope="module")
def sample():
    return data.fashion_mnist()


@pytest.fixture
def prepared(tmp_path):
    """A data folder that holds the embedded sample under its own name and under one unknown to TFDS."""
    for name in ("fashion_mnist", "own_images"):
        shutil.copytree(EMBEDDED, tmp_path / "tfds" / name / EMBEDDED.name)
    return tmp_path


def edit_info(folder: Path, **values):
    file = folder / "dataset_info.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


@pytest.mark.parametrize(("split", "num"), [("train", 10_000), ("test", 2_000)])
def test_the_embedded_sample_is_the_beginning_of_the_original(sample, split, num):
    source = getattr(sample, split)
    arrays = data.as_arrays(source)
    assert len(source) == num
    assert arrays["image"].shape == (num, 28, 28, 1)
    assert arrays["image"].dtype == np.uint8
    assert arrays["label"].dtype == np.int32
    assert hashlib.sha256(arrays["image"][0].tobytes()).hexdigest().startswith(FIRST_IMAGES[split])
    counts = np.bincount(arrays["label"], minlength=10)
    assert np.abs(counts / (num / 10) - 1).max() < 0.1


def test_the_embedded_sample_names_its_classes_and_owner(sample):
    assert len(sample.classes) == 10
    assert sample.classes[int(sample.train[0]["label"])] == "Ankle boot"
    assert "2017 Zalando SE" in (EMBEDDED.parent / "LICENSE").read_text()


def test_the_script_that_made_the_sample_can_be_imported():
    spec = importlib.util.spec_from_file_location("prepare", EMBEDDED.parents[1] / "prepare.py")
    module = importlib.util.module_from_spec(spec)
    with tfds.core.registered.skip_registration():  # other tests may have listed TFDS's own of this name
        spec.loader.exec_module(module)
    assert data.fashion_mnist().classes == module.CLASSES


def test_the_data_folder_may_be_the_root_or_its_parent(prepared, sample):
    for folder in (prepared, prepared / "tfds", str(prepared)):
        found = data.fashion_mnist(folder)
        assert (len(found.train), len(found.test), found.classes) == (10_000, 2_000, sample.classes)


def test_the_folder_of_tfds_is_the_default(prepared, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(prepared / "tfds"))
    assert len(data.tfds("own_images", split="train")) == 10_000


def test_splits_are_expressions_of_tfds(prepared, sample):
    part = data.tfds("fashion_mnist", split="train[10:13]+test[:2]", data_dir=prepared)
    whole = data.as_arrays(sample.train)["image"]
    assert len(part) == 5
    np.testing.assert_array_equal(data.as_arrays(part)["image"][:3], whole[10:13])
    np.testing.assert_array_equal(part[-1]["image"], sample.test[1]["image"])


def test_images_can_be_resized_and_features_chosen(prepared):
    small = data.tfds("fashion_mnist", split="test", data_dir=prepared, size=8, features=("image",))
    assert {name: value.shape for name, value in small[0].items()} == {"image": (8, 8, 1)}
    with pytest.raises(ValueError, match=r"features among \['image', 'label'\].*picture"):
        data.tfds("fashion_mnist", split="test", data_dir=prepared, features=("picture",))


def test_a_source_can_be_sent_to_another_process(prepared):
    source = data.tfds("fashion_mnist", split="test", data_dir=prepared)
    copy = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(copy[5]["image"], source[5]["image"])
    assert copy.classes == source.classes


def test_unknown_names_come_with_near_ones_and_what_is_there(prepared):
    with pytest.raises(ValueError, match=r'"fashion_mnst"; near: .*fashion_mnist.*prepared in .*own_images'):
        data.tfds("fashion_mnst", split="train", data_dir=prepared)


def test_a_data_set_that_is_not_prepared_says_how_to(prepared):
    with pytest.raises(ValueError, match=r"not prepared.*tfds build cifar100 --file_format=array_record"):
        data.dataset("cifar100", prepared)
    with pytest.raises(ValueError, match=r'"own_images" is prepared as 3\.0\.1, not as 1\.0\.0'):
        data.dataset("own_images:1.0.0", prepared)


def test_a_missing_split_is_named(prepared):
    with pytest.raises(ValueError, match=r"among \['test', 'train'\], got \['validation'\]"):
        data.tfds("fashion_mnist", split="validation", data_dir=prepared)


def test_another_file_format_is_refused(prepared):
    edit_info(prepared / "tfds" / "own_images" / "3.0.1", fileFormat="tfrecord")
    with pytest.raises(ValueError, match="tfrecord, which needs TensorFlow"):
        data.tfds("own_images", split="train", data_dir=prepared)


def test_the_newest_version_is_read(prepared):
    shutil.copytree(EMBEDDED, prepared / "tfds" / "own_images" / "10.0.0")
    edit_info(prepared / "tfds" / "own_images" / "10.0.0", version="10.0.0")
    shutil.rmtree(prepared / "tfds" / "own_images" / "3.0.1")
    shutil.copytree(EMBEDDED, prepared / "tfds" / "own_images" / "9.0.0")
    source = data.tfds("own_images", split="train", data_dir=prepared)
    assert source.arguments[0].name == "10.0.0"


def test_one_configuration_is_found_and_several_are_asked_for(tmp_path):
    shutil.copytree(EMBEDDED, tmp_path / "shapes" / "small" / "3.0.1")
    assert len(data.tfds("shapes", split="train", data_dir=tmp_path)) == 10_000
    shutil.copytree(EMBEDDED, tmp_path / "shapes" / "large" / "3.0.1")
    assert len(data.tfds("shapes/small:3.0.1", split="train", data_dir=tmp_path)) == 10_000
    with pytest.raises(ValueError, match="shapes/large, shapes/small"):
        data.tfds("shapes", split="train", data_dir=tmp_path)


@pytest.fixture(scope="module")
def flowers(tmp_path_factory):
    """A data set of images of many sizes, with names and an unlabelled test split, as ImageNet's is."""
    folder = tmp_path_factory.mktemp("flowers")

    class Flowers(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        # TFDS looks for the resources of builders that live in other modules.
        __module__ = "__main__"
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            return tfds.core.DatasetInfo(
                builder=self,
                features=tfds.features.FeaturesDict(
                    {
                        "image": tfds.features.Image(shape=(None, None, 3), encoding_format="jpeg"),
                        "label": tfds.features.ClassLabel(names=["rose", "tulip"]),
                        "file_name": tfds.features.Text(),
                        "place": tfds.features.Tensor(shape=(2,), dtype=np.float32),
                    }
                ),
            )

        def _split_generators(self, dl_manager):
            return {s: self._generate_examples(s) for s in ("train", "validation", "test")}

        def _generate_examples(self, split):
            for i in range(6):
                file = io.BytesIO()
                Image.new("RGB", (20 + 7 * i, 30), (40 * i, 0, 0)).save(file, "JPEG")
                file.seek(0)
                label = -1 if split == "test" else i % 2
                yield (
                    i,
                    {"image": file, "label": label, "file_name": f"{i}.jpg", "place": np.full(2, i, "f4")},
                )

    tfds.disable_progress_bar()
    Flowers(data_dir=folder, file_format="array_record").download_and_prepare()
    return folder


def test_images_of_many_sizes_go_through_at_one_size(flowers):
    found = data.dataset("flowers", flowers, size=16)
    batch = next(data.loader(found.train, batch_size=4, seed=0))
    assert {name: value.shape for name, value in batch.items()} == {
        "image": (4, 16, 16, 3),
        "label": (4,),
        "place": (4, 2),
    }
    assert found.classes == ("rose", "tulip")
    assert {int(example["label"]) for example in found.test} == {0, 1}
    as_they_are = data.dataset("flowers", flowers, test="test")
    assert len({example["image"].shape for example in as_they_are.train}) == 6
    assert int(as_they_are.test[0]["label"]) == -1


def test_text_is_read_where_it_is_asked_for(flowers):
    source = data.tfds("flowers", split="train", data_dir=flowers, features=("file_name", "label"))
    assert sorted(example["file_name"].item() for example in source)[0] == b"0.jpg"


def test_cifar10():
    prepared = [path.parents[2] for path in DATA_DIR.glob("**/cifar10/*/dataset_info.json")]
    if not prepared:
        pytest.skip("needs CIFAR-10 prepared by TFDS in $JSSL_DATA_DIR")
    found = data.dataset("cifar10", prepared[0])
    assert (len(found.train), len(found.test)) == (50_000, 10_000)
    assert found.classes[:3] == ("airplane", "automobile", "bird")
    arrays = data.as_arrays(found.test, limit=200)
    assert arrays["image"].shape == (200, 32, 32, 3)
    assert set(arrays["label"]) == set(range(10))


def python(code: str) -> str:
    """What a fresh, strict interpreter prints, of which nothing may go to stderr."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout.strip()


def test_importing_is_light_and_imports_neither_jax_nor_tfds():
    heavy = ("jax", "grain", "tensorflow_datasets", "tensorflow")
    assert python(f"import sys, jssl.data; print([m for m in {heavy} if m in sys.modules])") == "[]"


def test_reading_and_loading_is_quiet_and_without_tensorflow():
    code = """
import sys
from jssl import data
sample = data.fashion_mnist()
batches = data.loader(data.subset(sample.test, 0.1), batch_size=100, seed=0)
print(next(batches)["image"].shape, "tensorflow" in sys.modules)
"""
    assert python(code) == "(100, 28, 28, 1) False"
