"""The notebooks of models/tensorflow run from top to bottom on a small installation, and say so where they cannot."""

import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from support.installation import Place

NOTEBOOKS = sorted((Path(__file__).parents[2] / "models/tensorflow/notebooks").glob("*.ipynb"))

each_notebook = pytest.mark.parametrize("notebook", [pytest.param(path, id=path.stem) for path in NOTEBOOKS])


def execute(notebook: Path, place: Place) -> nbformat.NotebookNode:
    """The notebook with its outputs, run by a kernel that starts in a folder of the installation."""
    book = nbformat.read(notebook, as_version=4)
    inside = place.directory / "models/tensorflow/notebooks"
    inside.mkdir(parents=True, exist_ok=True)
    client = NotebookClient(book, timeout=300, resources={"metadata": {"path": str(inside)}})
    client.execute(env=place.environment())
    return book


def texts(book: nbformat.NotebookNode, *, stream: str) -> str:
    """What all cells wrote to a stream."""
    outputs = [each for cell in book.cells for each in cell.get("outputs", ())]
    return "".join(each.text for each in outputs if each.output_type == "stream" and each.name == stream)


@pytest.fixture(scope="module")
def place(promoted: Place, tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(shutil.copytree(promoted.directory, tmp_path_factory.mktemp("notebooks") / "copy"))


@each_notebook
def test_a_notebook_runs_without_complaint_and_draws(notebook: Path, place: Place) -> None:
    before = {path for path in (place.directory / "data").rglob("*") if path.is_file()}

    book = execute(notebook, place)

    outputs = [each for cell in book.cells for each in cell.get("outputs", ())]
    assert sum("image/png" in each.get("data", {}) for each in outputs) >= 2
    assert texts(book, stream="stderr") == ""
    made = {path for path in (place.directory / "data").rglob("*") if path.is_file()} - before
    assert {path.relative_to(place.directory / "data").parts[0] for path in made} <= {"backtest"}


def test_without_data_a_notebook_says_what_to_run_and_shows_no_traceback(tmp_path: Path) -> None:
    book = nbformat.read(NOTEBOOKS[0], as_version=4)
    client = NotebookClient(book, timeout=60, resources={"metadata": {"path": str(tmp_path)}})

    with pytest.raises(CellExecutionError):
        client.execute(env=Place(tmp_path).environment())

    assert texts(book, stream="stderr").startswith(f"error: {tmp_path}/data/processed: no clean history here")
    assert 'Run "make demo" first' in texts(book, stream="stderr")
    assert not [each for cell in book.cells for each in cell.get("outputs", ()) if each.output_type == "error"]
