"""`gridcast ingest` and `gridcast sources` as they are typed, with servers and files of our own."""

import contextlib
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from support.postgres import running_postgres
from support.web import Answer, Asked, Web, in_turn, serve

from gridcast.cli import main
from gridcast.domain.tables import READINGS
from gridcast.ingestion import raw
from gridcast.ingestion.locks import reading_alone
from gridcast.settings.source_kinds import KINDS
from gridcast.store.store import Store

SOLAR = Path(__file__).parents[2] / "fixtures" / "green_button" / "solar_roof.xml"


def forecast(asked: Asked) -> Answer:
    """A day of temperatures, from the last hour on."""
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0, tzinfo=None)
    times = [f"{start + timedelta(hours=hour):%Y-%m-%dT%H:%M}" for hour in range(24)]
    hourly = {"time": times, "temperature_2m": [12.5] * 24}
    body = {"utc_offset_seconds": 0, "hourly_units": {"temperature_2m": "°C"}, "hourly": hourly}
    return Answer(json.dumps(body).encode())


@pytest.fixture
def web() -> Iterator[Web]:
    with serve(forecast) as server:
        yield server


class Terminal:
    """Commands typed in a folder, in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def type(self, *words: str, code: int = 0) -> tuple[str, str]:
        """Standard output and standard error of a call of gridcast that ends with `code`."""
        self._monkeypatch.setattr(sys, "argv", ["gridcast", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        output, errors = self._capsys.readouterr()
        assert (ended.value.code or 0) == code, f"{words} gave {ended.value.code}\n{output}\n{errors}"
        return output, errors

    def json(self, *words: str) -> dict[str, Any]:
        result: dict[str, Any] = json.loads(self.type(*words, "--format", "json")[0])
        return result


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    monkeypatch.chdir(tmp_path)
    return Terminal(monkeypatch, capsys)


def installation(folder: Path, web: Web) -> None:
    """Meters from Green Button files and from a CSV file, and weather from Open-Meteo."""
    sources = {
        "meters": {"kind": "green_button", "path": str(SOLAR)},
        "own": {"kind": "files", "readings": "own.csv"},
        "weather": {
            "kind": "open_meteo",
            "places": {"london": {"latitude": 51.5, "longitude": -0.12}},
            "forecast_days": 1,
            "forecast_url": f"{web.url}/forecast",
            "http": {"attempts": 1},
        },
    }
    (folder / "config").mkdir()
    settings = {"sources": sources, "hierarchy": {"time_zone": "Europe/London"}}
    (folder / "config" / "pipeline_config.yaml").write_text(yaml.safe_dump(settings))
    (folder / "own.csv").write_text("series_id,valid_time,load_mw\na,2024-05-01T00:00Z,1\na,2024-05-01T01:00Z,x\n")


def test_every_source_is_read_and_shown_on_a_line_of_its_own(terminal: Terminal, tmp_path: Path, web: Web) -> None:
    installation(tmp_path, web)
    result = terminal.json("ingest")
    assert {each["source"]: (each["readings"], each["weather"]) for each in result["sources"]} == {
        "meters": (4, 0),
        "own": (1, 0),
        "weather": (0, 24),
    }
    assert (result["readings"], result["series"], result["weather"]) == (5, 2, 24)
    assert result["rejected"] == {"load_not_a_number": 2, "missing_counterflow": 2, "quality_projected": 1}
    again, _ = terminal.type("ingest")
    assert [line.split()[:2] for line in again.splitlines()[1:4]] == [
        ["meters", "0"],
        ["own", "1"],
        ["weather", "0"],
    ]
    assert raw.sources(tmp_path / "data" / "raw") == {"meters", "own", "weather"}


def test_chosen_sources_are_read_alone_and_a_dry_run_keeps_nothing(
    terminal: Terminal, tmp_path: Path, web: Web
) -> None:
    installation(tmp_path, web)
    output, _ = terminal.type("ingest", "--source", "meters", "--dry-run")
    assert output.startswith("would ingest 4 readings of 1 series, 0 temperatures and 0 holidays from meters into")
    assert not (tmp_path / "data").exists()
    terminal.type("ingest", "--source", "weather")
    assert raw.sources(tmp_path / "data" / "raw") == {"weather"}


def test_a_source_that_fails_does_not_keep_the_others_from_being_read(terminal: Terminal, tmp_path: Path) -> None:
    with serve(in_turn(Answer(status=503))) as web:
        installation(tmp_path, web)
        output, errors = terminal.type("ingest", code=1)
    assert output == ""
    assert "ingested 4 readings of 1 series" in errors
    assert f"error: {web.url}/forecast: answer 503 after 1 attempts" in errors
    assert raw.sources(tmp_path / "data" / "raw") == {"meters", "own"}


def test_all_failures_are_told(terminal: Terminal, tmp_path: Path) -> None:
    with serve(in_turn(Answer(status=503))) as web:
        installation(tmp_path, web)
        (tmp_path / "own.csv").unlink()
        _, errors = terminal.type("ingest", code=1)
    assert "error: own: own.csv: there is no such file" in errors
    assert f"\nweather: {web.url}/forecast: answer 503" in errors


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--source", "meter"), "--source meter: not configured; expected one of meters, own, weather."),
        (("--source", "weather", "--readings", "x.csv"), "but of the sources weather is open_meteo; expected one of"),
    ],
)
def test_a_choice_that_makes_no_sense_is_refused(
    terminal: Terminal, tmp_path: Path, web: Web, arguments: tuple[str, ...], told: str
) -> None:
    installation(tmp_path, web)
    assert told in terminal.type("ingest", *arguments, code=2)[1]


def test_other_files_stand_in_for_those_of_the_only_source_of_files(
    terminal: Terminal, tmp_path: Path, web: Web
) -> None:
    installation(tmp_path, web)
    (tmp_path / "new.csv").write_text("series_id,valid_time,load_mw\nb,2024-05-01T00:00Z,1\n")
    assert terminal.json("ingest", "--source", "own", "--readings", "new.csv")["readings"] == 1
    assert raw.first_readings(tmp_path / "data" / "raw").keys() == {"b"}


def test_a_source_that_never_ends_is_left_to_listen(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "pipeline_config.yaml").write_text(KINDS["mqtt"].example)
    _, refused = terminal.type("ingest", code=2)
    assert 'source meters: kind mqtt never ends; expected "gridcast listen" for it.' in refused


def test_a_key_that_is_missing_is_asked_for(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "pipeline_config.yaml").write_text(KINDS["entsoe"].example)
    monkeypatch.delenv("ENTSOE_API_KEY", raising=False)
    _, refused = terminal.type("ingest", code=2)
    assert "key of ENTSO-E: not set; expected it in the environment variable ENTSOE_API_KEY or in a file" in refused


def test_the_kinds_are_listed_with_what_they_need_and_what_is_configured(
    terminal: Terminal, tmp_path: Path, web: Web
) -> None:
    installation(tmp_path, web)
    listed = {each["kind"]: each for each in terminal.json("sources")["kinds"]}
    assert listed.keys() == KINDS.keys()
    assert listed["green_button"]["configured"] == ["meters"]
    assert listed["sample"]["configured"] == []
    assert (listed["gridstatus"]["extra"], listed["mqtt"]["read_by"]) == ("iso", "listen")
    table, _ = terminal.type("sources")
    assert all(f"\n{kind} " in table for kind in KINDS)


def test_an_example_is_printed_ready_to_be_saved(terminal: Terminal) -> None:
    assert terminal.type("sources", "open_meteo")[0] == KINDS["open_meteo"].example
    assert terminal.json("sources", "kafka")["example"] == KINDS["kafka"].example
    assert "sources gas: not a kind of source; expected one of sample," in terminal.type("sources", "gas", code=2)[1]


def test_a_drop_folder_is_worked_off_unless_in_a_dry_run_or_in_use(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "a.csv").write_text("series_id,valid_time,load_mw\na,2024-05-01T00:00Z,1\n")
    settings = {"kind": "drop_folder", "folder": "inbox", "readings_format": {"text": {"time_zone": "UTC"}}}
    (tmp_path / "config" / "pipeline_config.yaml").write_text(yaml.safe_dump({"sources": {"inbox": settings}}))
    output, errors = terminal.type("ingest", "--dry-run")
    assert (output, (tmp_path / "inbox" / "a.csv").exists()) == ("0 sources read into data/raw.\n", True)
    assert "inbox: left alone" in errors
    with reading_alone(tmp_path / "data" / "raw", source="inbox"):
        output, errors = terminal.type("ingest")
    assert (output, (tmp_path / "inbox" / "a.csv").exists()) == ("0 sources read into data/raw.\n", True)
    assert "inbox: left alone, as another process takes the files" in errors
    assert terminal.json("ingest")["readings"] == 1
    assert (tmp_path / "inbox" / "processed" / "a.csv").exists()


def test_a_source_of_another_kind_under_an_old_name_is_refused(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "a.csv").write_text("series_id,valid_time,load_mw\na,2024-05-01T00:00Z,1\n")
    for settings, code in (
        ({"kind": "drop_folder", "folder": "inbox"}, 0),
        ({"kind": "green_button", "path": str(SOLAR)}, 1),
        ({"kind": "open_meteo", "places": {"london": {"latitude": 51.5, "longitude": -0.12}}}, 1),
    ):
        written = {"sources": {"meters": settings}, "hierarchy": {"time_zone": "Europe/London"}}
        (tmp_path / "config" / "pipeline_config.yaml").write_text(yaml.safe_dump(written))
        errors = terminal.type("ingest", code=code)[1]
        assert ("of kind drop_folder; expected kind" in errors) == bool(code)
        assert raw.reading_counts(tmp_path / "data" / "raw") == {"a": 1}


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path | str]:
    """Where the store of the commands is."""
    if request.param == "sqlite":
        yield tmp_path / "data" / "gridcast.db"
        return
    with running_postgres() as server:
        url = server.new_database()
        monkeypatch.setenv("GRIDCAST_STORE_URL", url)
        yield url


def test_a_correction_that_is_dropped_comes_behind_the_live_reading_that_landed_before(
    terminal: Terminal, tmp_path: Path, place: Path | str
) -> None:
    hour = datetime(2024, 5, 1, tzinfo=UTC)
    live = pl.DataFrame([("a", hour, 5.0, hour + timedelta(hours=1))], schema=READINGS, orient="row")
    with contextlib.closing(Store.open(place)) as store:
        store.land_batch(live, source="scada", position="0", at=hour)
    for folder in ("config", "inbox"):
        (tmp_path / folder).mkdir()
    (tmp_path / "inbox" / "a.csv").write_text("series_id,valid_time,load_mw\na,2024-05-01T00:00Z,6\n")
    settings = {"kind": "drop_folder", "folder": "inbox", "readings_format": {"text": {"time_zone": "UTC"}}}
    (tmp_path / "config" / "pipeline_config.yaml").write_text(yaml.safe_dump({"sources": {"inbox": settings}}))

    terminal.type("ingest", "--dry-run")
    assert raw.read_readings(tmp_path / "data" / "raw").is_empty()
    _, errors = terminal.type("ingest")

    assert "took over 1 live readings" in errors
    assert raw.read_readings(tmp_path / "data" / "raw")["load_mw"].to_list() == [5.0, 6.0]
