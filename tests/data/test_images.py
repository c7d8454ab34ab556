"""Image folders: classes, orientation, modes, sizes, and files that are not images."""

import numpy as np
import pytest
from PIL import Image

from jssl import data


def save(path, size=(6, 4), color=(200, 30, 10), mode="RGB", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).convert(mode).save(path, **options)


@pytest.fixture
def folder(tmp_path):
    save(tmp_path / "dog" / "b.png")
    save(tmp_path / "dog" / "deep" / "a.JPG", quality=95)
    save(tmp_path / "cat" / "c.png", mode="L")
    (tmp_path / "cat" / "notes.txt").write_text("no image")
    (tmp_path / "cat" / "._c.png").write_text("hidden")
    (tmp_path / "empty").mkdir()
    return tmp_path


def test_sub_folders_are_classes(folder):
    source = data.image_folder(folder)
    assert source.classes == ("cat", "dog")
    assert [int(example["label"]) for example in source] == [0, 1, 1]
    assert source[0]["label"].dtype == np.int32
    assert source[1]["image"].shape == (4, 6, 3)
    np.testing.assert_array_equal(source[1]["image"][0, 0], [200, 30, 10])


def test_a_flat_folder_has_no_labels(tmp_path):
    save(tmp_path / "2.png", color=(2, 2, 2))
    save(tmp_path / "1.png", color=(1, 1, 1))
    source = data.image_folder(str(tmp_path))
    assert source.classes == ()
    assert [set(example) for example in source] == [{"image"}, {"image"}]
    assert [int(example["image"].max()) for example in source] == [1, 2]


def test_classes_of_the_training_folder_number_the_test_folder(folder, tmp_path_factory):
    test = tmp_path_factory.mktemp("test")
    save(test / "dog" / "1.png")
    classes = data.image_folder(folder).classes
    assert int(data.image_folder(test, classes=classes)[0]["label"]) == 1
    save(test / "cow" / "1.png")
    with pytest.raises(ValueError, match="cow"):
        data.image_folder(test, classes=classes)


def test_folders_without_a_clear_meaning_are_refused(folder, tmp_path_factory):
    with pytest.raises(ValueError, match="got none"):
        data.image_folder(tmp_path_factory.mktemp("nothing"))
    with pytest.raises(ValueError, match="is no folder"):
        data.image_folder(folder / "missing")
    save(folder / "stray.png")
    with pytest.raises(ValueError, match=r"got both.*stray\.png"):
        data.image_folder(folder)


def test_size_makes_images_of_any_size_one_batch(folder):
    save(folder / "cat" / "large.jpg", size=(90, 300))
    batch = data.as_arrays(data.image_folder(folder, size=5))
    assert batch["image"].shape == (4, 5, 5, 3)
    assert batch["image"].dtype == np.uint8


def test_images_of_several_sizes_without_a_size_say_what_to_do(folder):
    save(folder / "cat" / "large.png", size=(9, 9))
    with pytest.raises(ValueError, match="size="):
        data.as_arrays(data.image_folder(folder))


def test_exif_orientation_turns_the_image(tmp_path):
    picture = Image.fromarray(
        np.repeat(np.arange(6, dtype=np.uint8)[None, :, None] * 40, 3, axis=-1).repeat(4, 0)
    )
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(tmp_path / "turned.png", exif=exif)
    image = data.image_folder(tmp_path)[0]["image"]
    assert image.shape == (6, 4, 3)
    np.testing.assert_array_equal(image[:, 0, 0], np.arange(6) * 40)


@pytest.mark.parametrize(
    ("mode", "options"), [("RGBA", {}), ("P", {"transparency": 0}), ("1", {}), ("CMYK", {})]
)
def test_every_mode_becomes_rgb(tmp_path, mode, options):
    save(tmp_path / ("a.tif" if mode == "CMYK" else "a.png"), mode=mode, **options)
    assert data.image_folder(tmp_path)[0]["image"].shape == (4, 6, 3)


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n broken"])
def test_an_unreadable_image_is_named_when_it_is_read(folder, content):
    (folder / "dog" / "zz.png").write_bytes(content)
    source = data.image_folder(folder)
    source[0]
    with pytest.raises(ValueError, match=r"cannot read the image .*zz\.png"):
        source[3]


def test_a_truncated_image_is_named_in_a_loader_too(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "cut.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "cut.jpg").read_bytes()[:2000])
    batches = data.loader(data.image_folder(tmp_path), batch_size=1, seed=0)
    with pytest.raises(ValueError, match=r"cannot read the image .*cut\.jpg"):
        next(batches)
    batches.close()


def test_more_than_eight_bits_are_refused(tmp_path):
    Image.fromarray(np.full((4, 4), 40_000, np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(ValueError, match=r"deep\.png.*8 bits"):
        data.image_folder(tmp_path)[0]


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_resize_keeps_the_centre_and_the_channels(channels):
    image = np.zeros((20, 40, channels), np.uint8)
    image[:, 8:32] = 250
    small = data.resize(image, 10)
    assert small.shape == (10, 10, channels)
    assert small.min() > 240
    np.testing.assert_array_equal(data.resize(small, 10), small)


def test_resize_refuses_what_it_cannot_do():
    with pytest.raises(ValueError, match="1, 3 or 4 channels"):
        data.resize(np.zeros((4, 4, 2), np.uint8), 2)
    with pytest.raises(ValueError, match="at least 1 pixel"):
        data.resize(np.zeros((4, 4, 3), np.uint8), 0)
