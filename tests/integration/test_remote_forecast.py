"""`gridcast forecast --url`: a service's forecast, shown as one made here would be."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from support.board import HOUR, Board, built_in, copy_of, serve
from support.workers import run_folder
from typer.testing import CliRunner, Result

from gridcast.cli.app import app
from gridcast.client import ApiError
from gridcast.domain.errors import UsageError
from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.domain.roles import Role

ISSUED = datetime(2024, 4, 30, tzinfo=UTC)


@pytest.fixture
def board(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Board]:
    with serve(copy_of(built_in(run_folder(tmp_path_factory)), tmp_path)) as found:
        monkeypatch.setenv("GRIDCAST_API_KEY", found.keys[Role.VIEWER])
        monkeypatch.chdir(tmp_path)
        yield found


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["forecast", *arguments], catch_exceptions=False)


def test_all_series_are_shown_by_their_highest_hour_and_one_with_all_its_quantiles(board: Board) -> None:
    all_series, one = run("--url", board.url), run("--url", board.url, "--series", "zone_s")
    assert all_series.exit_code == one.exit_code == 0
    assert all_series.stdout.count("zone_n") == 1
    assert "peak_at" in all_series.stdout
    assert f"{board.url} gave 144 rows for 3 series, the newest issued at 2024-04-30 00:00Z with model 1; 0 of" in (
        all_series.stdout
    )
    assert one.stdout.count("zone_s") == 48
    assert all(column in one.stdout for column in QUANTILE_COLUMNS)


def test_the_json_form_and_the_file_hold_what_the_store_holds(board: Board, tmp_path: Path) -> None:
    done = run("--url", board.url, "--series", "zone_s", "--format", "json", "--to", "tonight.parquet")
    told = json.loads(done.stdout)
    stored = board.store.forecasts(start=ISSUED, end=ISSUED + HOUR).filter(series_id="zone_s")
    assert told.keys() == {"issue_time", "model_version", "forecasts", "summary"}
    assert (told["issue_time"], told["model_version"]) == ("2024-04-30T00:00:00+00:00", "1")
    assert list(told["forecasts"][0]) == ["series_id", "valid_time", *QUANTILE_COLUMNS, "degraded_because"]
    assert [each["p50"] for each in told["forecasts"]] == stored["p50"].to_list()
    assert_frame_equal(pl.read_parquet(tmp_path / "tonight.parquet"), stored)


def test_an_earlier_moment_gives_what_was_known_then_and_a_dry_run_writes_no_file(board: Board, tmp_path: Path) -> None:
    at = (ISSUED - timedelta(hours=5)).isoformat()
    done = run("--url", board.url, "--series", "system", "--as-of", at, "--to", "then.csv", "--dry-run")
    assert "the newest issued at 2024-04-29 12:00Z" in done.stdout
    assert not (tmp_path / "then.csv").exists()


def test_what_cannot_be_asked_is_said(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"unknown series \['zone_x'\]; expected any of \['system', 'zone_n'"):
        run("--url", board.url, "--series", "zone_x")
    with pytest.raises(UsageError, match=r"--to tonight\.xls: expected a name ending in"):
        run("--url", board.url, "--to", "tonight.xls")
    monkeypatch.delenv("GRIDCAST_API_KEY")
    with pytest.raises(ApiError, match="answer 401: no credential"):
        run("--url", board.url)
    with pytest.raises(UsageError, match="expected a service's address"):
        run("--url", "gridcast.example.org")
