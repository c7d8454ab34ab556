import pytest

from jssl import locate


def test_a_relative_path_is_looked_for_from_here_and_above_a_folder(tmp_path, monkeypatch):
    file = tmp_path / "project" / "experiments" / "mine.py"
    run = tmp_path / "project" / "runs" / "mine"
    for folder in (file.parent, run, tmp_path / "elsewhere"):
        folder.mkdir(parents=True)
    file.write_text("def mine():\n    return 'project'\n")
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match=r"'experiments/mine\.py': no such file"):
        locate.find("experiments/mine.py")
    assert locate.find("experiments/mine.py", above=run)() == "project"
    here = tmp_path / "elsewhere" / "experiments" / "mine.py"
    here.parent.mkdir()
    here.write_text("def mine():\n    return 'elsewhere'\n")
    assert locate.find("experiments/mine.py", above=run)() == "elsewhere"
