"""The example of the user guide, typed word for word, does what the guide says."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from gridcast.cli.app import app

GUIDE = (Path(__file__).parents[3] / "docs/user_guide.md").read_text()
EXAMPLE = GUIDE.split("## Your own data, step by step")[1].split("### What the files may hold")[0]


def blocks(language: str) -> list[str]:
    """The contents of the example's fenced blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", EXAMPLE, flags=re.DOTALL | re.MULTILINE)


def run(command: str) -> str:
    """What a gridcast command of the guide prints."""
    _, *arguments = shlex.split(command)
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The reader's folder after step 1."""
    (script,) = blocks("python")
    kept, described = blocks("yaml")
    (tmp_path / "my-config").mkdir()
    (tmp_path / "my-config/app_config.yaml").write_text(kept)
    (tmp_path / "my-config/pipeline_config.yaml").write_text(described)
    (tmp_path / "make_example.py").write_text(script)
    subprocess.run([sys.executable, "make_example.py"], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_example_is_read_and_cleaned_as_the_guide_says(folder: Path) -> None:
    (ingest, prepare, *_), (head, ingested, prepared) = blocks("bash"), blocks("text")
    assert (folder / "meters.csv").read_text().startswith(head)
    assert run(ingest) == ingested
    assert run(prepare).endswith(prepared)
    clean = pl.read_parquet(folder / "my-data/processed/readings/*/*.parquet", hive_partitioning=False)
    assert clean["series_id"].unique().sort().to_list() == ["north", "south", "system"]
    repaired = clean.filter(pl.col("rule").str.starts_with("gap"))
    assert repaired.select("series_id", "quality", "rule").rows() == [
        ("north", "estimated", "gap+interpolated"),
        ("south", "estimated", "gap+interpolated"),
    ]
