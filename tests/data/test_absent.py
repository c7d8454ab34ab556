import numpy as np
import pytest

from jssl import data


@pytest.mark.parametrize(
    ("name", "size", "shape", "num"),
    [("imagenet2012", 256, (256, 256, 3), 1_281_167), ("cifar10", None, (32, 32, 3), 50_000)],
)
def test_a_data_set_that_is_not_there_has_its_size(name, size, shape, num, tmp_path):
    with data.absent():
        train, test, _ = data.dataset(name, tmp_path, size=size)
    assert len(train) == num
    assert len(test) < num
    example = train[num - 1]
    assert example["image"].shape == shape
    assert example["image"].dtype == np.uint8
    assert example["label"].dtype == np.int32


def test_only_where_it_is_asked_for(tmp_path):
    with data.absent():
        pass
    with pytest.raises(ValueError, match="imagenet2012"):
        data.dataset("imagenet2012", tmp_path)


def test_what_is_not_known():
    with data.absent():
        with pytest.raises(ValueError, match="differ in size"):
            data.dataset("imagenet2012")
        with pytest.raises(ValueError, match='for a plan, got "mine"'):
            data.dataset("mine")
