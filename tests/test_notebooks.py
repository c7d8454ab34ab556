"""Every notebook runs from its first cell to its last."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from . import runs

NOTEBOOKS = sorted((runs.ROOT / "notebooks").glob("*.ipynb"))


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_runs_without_error(path: Path, tmp_path: Path):
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, kernel_name="python3", timeout=600, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute(env=runs.environment())


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_holds_its_outputs_and_is_small(path: Path):
    cells = nbformat.read(path, as_version=4).cells
    written = [cell for cell in cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in written] == list(range(1, len(written) + 1))
    assert not [out for cell in written for out in cell.outputs if out.output_type == "error"]
    assert path.stat().st_size < 400_000
