"""What a user meets on the command line, good and bad."""

import os
import subprocess
import sys

import pytest

from jssl import cli, experiment

from . import runs, tiny


def run_cli(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["jssl", *map(str, words)])
    cli.main()


def failure(monkeypatch, *words):
    """The message that a command ends with."""
    with pytest.raises(SystemExit) as caught:
        run_cli(monkeypatch, *words)
    assert caught.value.code not in (0, None)
    return str(caught.value.code)


def refused(factory, *options):
    with pytest.raises(SystemExit) as caught:
        experiment.main(factory, [str(option) for option in options])
    assert caught.value.code not in (0, None)
    return str(caught.value.code)


def test_help_names_every_option_with_its_meaning(capsys):
    with pytest.raises(SystemExit) as caught:
        experiment.main(tiny.simclr, ["--help"])
    assert caught.value.code == 0
    printed = capsys.readouterr().out
    assert "SimCLR on squares." in printed
    for option in ("--run-dir", "--mesh", "--seed", "--steps", "--data-dir", "--batch-size"):
        assert option in printed


def test_an_unknown_flag_is_named(capsys):
    refused(tiny.simclr, "--stepz", 3)
    assert "--stepz" in capsys.readouterr().err


def test_a_value_of_the_wrong_type_is_named(capsys):
    refused(tiny.simclr, "--steps", "many")
    assert "many" in capsys.readouterr().err


def test_a_batch_that_devices_can_not_share(tmp_path):
    said = refused(tiny.simclr, "--batch-size", 12, "--mesh", "data=8", "--run-dir", tmp_path / "run")
    assert "multiple of 8" in said
    assert "got 12" in said
    assert "Use 8 or 16" in said


def test_more_devices_than_there_are(tmp_path):
    assert "Asked for 9 devices, expected 1 to 8" in refused(
        tiny.simclr, "--mesh", "data=9", "--run-dir", tmp_path / "run"
    )


def test_other_arguments_in_the_same_folder(tmp_path):
    options = ["--steps", 2, "--mesh", "data=1", "--run-dir", tmp_path / "run"]
    experiment.main(tiny.simclr, [str(option) for option in options])
    said = refused(tiny.simclr, *options, "--learning-rate", 0.5)
    assert "learning_rate: 0.001 in the folder, 0.5 now" in said


def test_another_experiment_in_the_same_folder(tmp_path):
    options = ["--steps", 2, "--mesh", "data=1", "--run-dir", tmp_path / "run"]
    experiment.main(tiny.simclr, [str(option) for option in options])
    assert "another experiment: 'tiny_simclr', not 'tiny_mae'" in refused(tiny.mae, *options)


def test_checkpoints_of_another_experiment(tmp_path):
    options = ["--steps", 2, "--mesh", "data=1"]
    experiment.main(tiny.simclr, [*map(str, options), "--run-dir", str(tmp_path / "a")])
    os.makedirs(tmp_path / "b")
    experiment.main(tiny.mae, [*map(str, options), "--run-dir", str(tmp_path / "b")])
    subprocess.run(["rm", "-r", tmp_path / "b" / "checkpoints"], check=True)
    (tmp_path / "a" / "checkpoints").rename(tmp_path / "b" / "checkpoints")
    assert "checkpoints of another experiment" in refused(tiny.mae, *options, "--run-dir", tmp_path / "b")


def test_a_folder_that_can_not_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    assert "can't be used" in refused(tiny.simclr, "--run-dir", tmp_path / "file" / "run")


def test_views_of_different_shapes(tmp_path):
    from jssl import methods, nn, pretext

    def uneven(data_dir: str | None = None, seed: int = 0, steps: int = 2, batch_size: int = 8):
        """Views of two sizes where the method takes one."""
        method = methods.simclr(
            encoder=nn.resnet((1,), width=4),
            projector=nn.mlp((4,)),
            augment=pretext.two_views(
                pretext.image.random_resized_crop(16), pretext.image.random_resized_crop(8)
            ),
        )
        return tiny._experiment(
            "uneven", method, seed=seed, steps=steps, batch_size=batch_size, learning_rate=0.1
        )

    said = refused(uneven, "--run-dir", tmp_path / "run", "--mesh", "data=1")
    assert "16" in said
    assert "8" in said


def test_a_finished_run_only_shows_its_results_again(tmp_path, capsys):
    options = ["--steps", "2", "--mesh", "data=1", "--run-dir", str(tmp_path / "run")]
    experiment.main(tiny.simclr, options)
    first = capsys.readouterr().out
    before = (tmp_path / "run" / "metrics.jsonl").read_text()
    experiment.main(tiny.simclr, options)
    assert "knn/accuracy" in first
    assert "knn/accuracy" in capsys.readouterr().out
    assert (tmp_path / "run" / "metrics.jsonl").read_text() == before


def test_train_by_path_is_the_same_as_by_module(tmp_path):
    """`jssl train FILE` and `python -m MODULE` make the same run."""
    file = tmp_path / "tiny_copy.py"
    file.write_text("from tests.tiny import simclr as tiny_copy\n")
    command = [sys.executable, "-m", "jssl.cli", "train", str(file), "--steps", "2"]
    by_path = subprocess.run(
        [*command, "--run-dir", str(tmp_path / "a")],
        cwd=runs.ROOT,
        env=runs.environment(),
        capture_output=True,
        text=True,
    )
    assert by_path.returncode == 0, by_path.stderr
    runs.finish("simclr", tmp_path / "b", "--steps", "2")
    assert runs.metrics(tmp_path / "a") == runs.metrics(tmp_path / "b")


def test_commands_that_can_not_be_done_say_what_was_expected(monkeypatch, tmp_path):
    assert "unknown command 'trian'" in failure(monkeypatch, "trian")
    assert "no such file" in failure(monkeypatch, "train", tmp_path / "absent.py")
    assert "Expected the path of an experiment" in failure(monkeypatch, "train")
    (tmp_path / "empty.py").write_text("")
    assert "has no function 'empty'" in failure(monkeypatch, "train", tmp_path / "empty.py")
    assert str(tmp_path) in failure(monkeypatch, "report", tmp_path)


def test_usage(monkeypatch, capsys):
    run_cli(monkeypatch, "--help")
    assert "jssl train FILE" in capsys.readouterr().out
