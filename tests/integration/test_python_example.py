"""The Python example of the user guide runs against the real service as it is printed."""

import re
from pathlib import Path

import pytest
from support.board import built_in, copy_of, serve
from support.workers import run_folder

from gridcast.domain.roles import Role

GUIDE = (Path(__file__).parents[2] / "docs/user_guide.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:8080"


def test_the_python_example_does_what_it_says(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (example,) = re.findall(
        r"^```python\n(.*?)^```", GUIDE.split("## From Python")[1].split("\n## ")[0], re.DOTALL | re.MULTILINE
    )
    assert ADDRESS in example
    with serve(copy_of(built_in(run_folder(tmp_path_factory)), tmp_path)) as board:
        monkeypatch.setenv("GRIDCAST_API_KEY", board.keys[Role.ENGINEER])
        told: list[str] = []
        scope = {"print": lambda *values: told.append(" ".join(map(str, values)))}
        exec(compile(example.replace(ADDRESS, board.url), "user_guide.md", "exec"), scope)  # noqa: S102 - our own guide
    assert "zone_n" in told[0]
    assert "p90" in told[1]
    assert told[-1].startswith("422 {")
    assert "unknown_series" in told[-1]
