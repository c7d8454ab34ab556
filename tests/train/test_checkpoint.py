import gc
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.train import Checkpoints, SaveFailed

from .toy import toy_state


def saved(folder, steps=(5, 10, 15), **options):
    checkpoints = Checkpoints(folder, name="toy", **{"keep": 3} | options)
    state = toy_state()
    for step in steps:
        checkpoints.save(step, state._replace(step=jnp.int32(step)), {"data": step}, {"score": -float(step)})
    checkpoints.wait()
    return checkpoints


def test_the_newest_comes_back_whole(tmp_path):
    saved(tmp_path).close()
    restored = Checkpoints(tmp_path, name="toy").restore(toy_state())
    assert (restored.step, restored.extra["data"], int(restored.state.step)) == (15, 15, 15)
    expected = toy_state()
    assert jax.tree.structure(restored.state) == jax.tree.structure(expected)
    np.testing.assert_array_equal(restored.state.params["w"], expected.params["w"])
    assert restored.state.key.dtype == expected.key.dtype


def test_the_newest_and_the_best_stay(tmp_path):
    checkpoints = saved(tmp_path, steps=(1, 2, 3, 4, 5), keep=2, score=lambda metrics: metrics["score"])
    assert checkpoints.steps() == [1, 4, 5]


def files_of(folder):
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


# Orbax abandons the other reads of a checkpoint when one fails, and Python says so when it collects them.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("damage", ["truncate", "empty", "remove"])
def test_any_torn_file_of_the_newest_falls_back_to_the_one_before(tmp_path, capsys, damage):
    saved(tmp_path / "whole").close()
    fell_back = 0
    for number, name in enumerate(files_of(tmp_path / "whole" / "15")):
        copy = tmp_path / f"copy{number}" / "checkpoints"
        shutil.copytree(tmp_path / "whole", copy)
        torn = copy / "15" / name
        content = torn.read_bytes()
        if damage == "remove":
            torn.unlink()
        else:
            torn.write_bytes(content[: len(content) // 2] if damage == "truncate" else b"")
        restored = Checkpoints(copy, name="toy").restore(toy_state())
        said = capsys.readouterr().out
        assert restored.step in (10, 15), name
        np.testing.assert_array_equal(restored.state.params["w"], toy_state().params["w"])
        if restored.step == 10:
            assert "Checkpoint 15 cannot be read" in said
            assert (copy.parent / "unreadable-checkpoint-15").exists()
            fell_back += 1
    gc.collect()
    assert fell_back >= 3


def test_a_missing_newest_falls_back(tmp_path):
    saved(tmp_path).close()
    shutil.rmtree(tmp_path / "15")
    assert Checkpoints(tmp_path, name="toy").restore(toy_state()).step == 10


def test_a_half_written_one_is_no_checkpoint(tmp_path):
    saved(tmp_path).close()
    (tmp_path / "15").rename(tmp_path / "15.orbax-checkpoint-tmp")
    assert Checkpoints(tmp_path, name="toy").restore(toy_state()).step == 10


def test_none_readable_is_an_error_not_a_new_start(tmp_path):
    saved(tmp_path, steps=(5,)).close()
    for path in (tmp_path / "5").rglob("*"):
        if path.is_file():
            path.write_bytes(b"")
    with pytest.raises(ValueError, match="None of the checkpoints"):
        Checkpoints(tmp_path, name="toy").restore(toy_state())


def test_no_checkpoint_is_none(tmp_path):
    assert Checkpoints(tmp_path, name="toy").restore(toy_state()) is None


def test_another_experiment_is_refused(tmp_path):
    saved(tmp_path).close()
    with pytest.raises(ValueError, match="another experiment: expected 'other', found 'toy'"):
        Checkpoints(tmp_path, name="other").restore(toy_state())


def test_another_structure_is_refused_by_name(tmp_path):
    saved(tmp_path).close()
    like = toy_state()
    with pytest.raises(
        ValueError, match=r"params/w is expected to be float32\[4\] and is float32\[3\] there"
    ):
        Checkpoints(tmp_path, name="toy").restore(like._replace(params={"w": jnp.zeros(4)}))
    with pytest.raises(ValueError, match=r"params/v is expected to be float32\[3\] and is absent"):
        Checkpoints(tmp_path, name="toy").restore(like._replace(params={**like.params, "v": jnp.zeros(3)}))


def test_one_device_to_eight_and_back(tmp_path):
    saved(tmp_path).close()
    restored = Checkpoints(tmp_path, name="toy").restore(toy_state(8))
    assert len(restored.state.params["w"].sharding.device_set) == 8
    np.testing.assert_array_equal(restored.state.params["w"], toy_state().params["w"])
    assert restored.state.key.sharding.device_set == restored.state.step.sharding.device_set


def test_saving_survives_the_donation_of_the_state(tmp_path):
    """The loop donates the state to the next step at once; the background write must not see it change."""
    checkpoints = Checkpoints(tmp_path, name="toy")
    state = toy_state()._replace(params={"w": jnp.ones((1000, 1000))})
    checkpoints.save(1, state, {})
    advance = jax.jit(lambda s: s._replace(params={"w": s.params["w"] * 0}), donate_argnums=0)
    for _ in range(5):
        state = advance(state)
    checkpoints.wait()
    assert float(checkpoints.restore(state).state.params["w"].min()) == 1.0


def test_a_full_disk_is_told_and_leaves_the_checkpoints_before(tmp_path, monkeypatch):
    checkpoints = saved(tmp_path, steps=(5,))

    def full(*_, **__):
        raise ValueError("RESOURCE_EXHAUSTED: No space left on device")

    monkeypatch.setattr(checkpoints._manager, "save", full)
    with pytest.raises(SaveFailed, match=r"could not be written to .*No space left"):
        checkpoints.save(6, toy_state(), {})
    assert Checkpoints(tmp_path, name="toy").restore(toy_state()).step == 5
