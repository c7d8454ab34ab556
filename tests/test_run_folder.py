import json

import jax
import pytest

from jssl.run_folder import Origin, open_folder, read_config, record


def config(**arguments):
    return record("toy", Origin({"seed": 0, **arguments}), jax.devices())


def test_a_new_folder_records_what_the_run_is_made_with(tmp_path):
    assert open_folder(tmp_path / "a" / "b", config(learning_rate=0.1)) is False
    saved = read_config(tmp_path / "a" / "b")
    assert saved["arguments"] == {"seed": 0, "learning_rate": 0.1}
    assert saved["versions"].keys() >= {"jssl", "jax", "python"}
    assert saved["devices"] == {"platform": "cpu", "kind": "cpu", "count": 8, "processes": 1}


def test_a_package_that_is_not_installed_has_no_version(monkeypatch):
    monkeypatch.setattr("jssl.run_folder.PACKAGES", ("no-such-package", "jax"))
    versions = record("name", Origin({}), jax.devices())["versions"]
    assert versions["no-such-package"] is None
    assert versions["jax"] == jax.__version__


def test_the_same_arguments_go_on_and_others_are_shown(tmp_path):
    open_folder(tmp_path, config(learning_rate=0.1, steps=5))
    assert open_folder(tmp_path, config(learning_rate=0.1, steps=5)) is True
    with pytest.raises(
        ValueError, match=r"(?s)  learning_rate: 0.1 in the folder, 0.2 now\n  steps: 5 in.*absent"
    ):
        open_folder(tmp_path, config(learning_rate=0.2))


def test_tuples_come_back_from_json_as_the_same_arguments(tmp_path):
    open_folder(tmp_path, config(sizes=(1, 2)))
    assert open_folder(tmp_path, config(sizes=(1, 2)))


def test_another_experiment_is_refused(tmp_path):
    open_folder(tmp_path, config())
    other = config() | {"name": "other"}
    with pytest.raises(ValueError, match="run of another experiment: 'toy', not 'other'"):
        open_folder(tmp_path, other)


def test_a_folder_of_other_things_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("...")
    with pytest.raises(ValueError, match=r"holds files but no run"):
        open_folder(tmp_path, config())
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_path_that_can_not_be_a_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"can't be used: .*Choose another --run-dir"):
        open_folder(tmp_path / "file" / "run", config())


def test_reading_what_is_no_run_says_so(tmp_path):
    with pytest.raises(ValueError, match="Expected the folder of a run"):
        read_config(tmp_path)


def test_the_configuration_is_plain_json(tmp_path):
    open_folder(tmp_path, config())
    assert json.loads((tmp_path / "config.json").read_text())["name"] == "toy"
