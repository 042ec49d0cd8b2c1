"""`gridcast dashboards` writes what Grafana is provisioned from, and says when a folder holds something else."""

import json
import re
import shlex
import sys
from pathlib import Path

import pytest

from gridcast.cli import main

PAGE = (Path(__file__).parents[3] / "docs/dashboards.md").read_text()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def typed(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["gridcast", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_the_commands_of_the_page_run_as_shown(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    block = re.findall(r"^```bash\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)[0]
    assert [typed(monkeypatch, *shlex.split(line)[1:]) for line in block.splitlines()] == [0, 0]
    assert (here / "dashboards/boards/gridcast-operations.json").exists()


def test_a_file_that_was_changed_fails_the_check_and_is_written_again(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(monkeypatch, "dashboards", "--to", "made") == 0
    changed = here / "made/boards/gridcast-models.json"
    content = changed.read_bytes()
    changed.write_bytes(content + b"\n")
    assert typed(monkeypatch, "dashboards", "--to", "made", "--check") == 1
    assert "gridcast-models.json" in capsys.readouterr().err
    assert changed.read_bytes() != content
    assert typed(monkeypatch, "dashboards", "--to", "made", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["written"] == ["made/boards/gridcast-models.json"]
    assert changed.read_bytes() == content


def test_every_variable_that_files_ask_for_is_told_on_the_page() -> None:
    folder = Path(__file__).parents[3] / "dashboards/provisioning"
    asked = {name for path in folder.rglob("*.yaml") for name in re.findall(r"\$(\w+)", path.read_text())}
    assert asked
    assert asked <= set(re.findall(r"`(\w+)`", PAGE))
