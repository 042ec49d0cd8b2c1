"""models/tensorflow holds what is read and edited, no code; its requirements are those of the lock file."""

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "models/tensorflow"
NOTEBOOKS = sorted((FOLDER / "notebooks").glob("*.ipynb"))


def test_no_python_file_lies_where_it_would_stand_for_tensorflow() -> None:
    assert not list((ROOT / "models").rglob("*.py"))


@pytest.mark.parametrize("notebook", [pytest.param(path, id=path.stem) for path in NOTEBOOKS])
def test_a_notebook_is_committed_without_outputs_and_noise(notebook: Path) -> None:
    book = json.loads(notebook.read_text(encoding="utf-8"))

    assert book["metadata"].keys() == {"kernelspec", "language_info"}
    assert book["metadata"]["language_info"] == {"name": "python"}
    assert [cell["metadata"] for cell in book["cells"]] == [{}] * len(book["cells"])
    code = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    assert {(cell["execution_count"], len(cell["outputs"])) for cell in code} == {(None, 0)}


def test_the_readme_tells_every_input_of_the_frozen_signature_with_its_shape() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    table = text.split("<!-- inputs:start -->")[1].split("<!-- inputs:end -->")[0]
    told: dict[str, list[int]] = {}
    for names, shapes in re.findall(r"^\| (`.+?) \| (.+?) \|", table, flags=re.MULTILINE):
        inputs = re.findall(r"`(\w+)`", names)
        found = [[int(size) for size in re.findall(r"\d+", shape)] for shape in re.findall(r"\(.*?\)", shapes)]
        told |= dict(zip(inputs, found * (len(inputs) // len(found)), strict=True))

    frozen = json.loads((ROOT / "tests/fixtures/signature_48h_hourly.json").read_text(encoding="utf-8"))
    assert told == {name: each["shape"][1:] for name, each in frozen["inputs"].items()}


def test_the_requirements_are_the_packages_of_the_lock_file_that_gridcast_needs() -> None:
    written = (FOLDER / "requirements.txt").read_text()
    exported = re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==(\S+)", written, flags=re.MULTILINE)
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]

    assert len(exported) == len(written.splitlines()), 'made by "make requirements", one package a line'
    needed = reached_from("gridcast", packages)
    locked = sorted((each["name"], each["version"]) for each in packages if each["name"] in needed - {"gridcast"})
    assert sorted(exported) == locked, 'run "make requirements"'


def reached_from(root: str, packages: list[Mapping[str, Any]]) -> set[str]:
    """Names of the package, of what it needs, of what that needs, with the extras asked for on the way."""
    seen: set[tuple[str, str]] = set()
    waiting = [(root, "")]
    while waiting:
        name, extra = asked = waiting.pop()
        if asked in seen:
            continue
        seen.add(asked)
        for package in (each for each in packages if each["name"] == name):
            needs = (
                package.get("optional-dependencies", {}).get(extra, []) if extra else package.get("dependencies", [])
            )
            waiting += [(each["name"], more) for each in needs for more in ("", *each.get("extra", ()))]
    return {name for name, _ in seen}
