"""What a user can get wrong: one clear message, the right exit code, and nothing half-written."""

import os
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import polars as pl
import pytest
from support.installation import Place
from support.small_disk import small_disk_in

from gridcast.workflows.readings.processed import Processed

HEADER = "unique_id,ds,y"
SOURCE = """
sources:
  files:
    kind: files
    readings: readings.csv
    readings_format: {series_id: unique_id, valid_time: ds, load: y, unit: kW, text: {time_zone: %s}}
"""
OPENED = ("gridcast.db", "registry/mlflow.db", "registry/catalogue.json", "raw/locks/raw-folder.lock")
"""Databases and locks, whole and empty, that a command may make before it finds that it cannot go on."""


def hourly(series_id: str, first: datetime, hours: int) -> list[str]:
    """Readings of one series in kW, stamped in UTC, with a daily shape and no two alike in a row."""
    times = ((hour, first + timedelta(hours=hour)) for hour in range(hours))
    return [f"{series_id},{each:%Y-%m-%dT%H:%M}Z,{1000 + hour % 24 * 10 + hour * 37 % 11}" for hour, each in times]


def installation(directory: Path, *rows: str, time_zone: str = "Europe/London") -> Place:
    place = Place(directory)
    (directory / "config").mkdir(parents=True)
    configure(place, "pipeline", SOURCE % time_zone)
    if rows:
        write(place, *rows)
    return place


def configure(place: Place, name: str, text: str) -> None:
    (place.directory / "config" / f"{name}_config.yaml").write_text(text)


def write(place: Place, *rows: str, header: str = HEADER, name: str = "readings.csv") -> None:
    (place.directory / name).write_text("\n".join((header, *rows, "")))


def files(data: Path) -> dict[str, bytes]:
    return {each.relative_to(data).as_posix(): each.read_bytes() for each in data.rglob("*") if each.is_file()}


@dataclass(frozen=True)
class Case:
    """A command that must fail: its arguments, what its message says, its exit code, and the environment."""

    arguments: tuple[str, ...]
    says: tuple[str, ...]
    code: int = 1
    env: Mapping[str, str] = field(default_factory=dict)


def refused(place: Place, *cases: Case, data: Path | None = None) -> list[str]:
    """The one message of each command, having left the data folder as it was."""
    folder = data or place.directory / "data"
    before = files(folder)
    with ThreadPoolExecutor(2) as pool:
        messages = list(pool.map(lambda case: message_of(place, case), cases))
    after = files(folder)
    assert before.items() <= after.items()
    assert set(after) - set(before) <= set(OPENED)
    return messages


def message_of(place: Place, case: Case) -> str:
    done = place.run(*case.arguments, env=case.env, code=case.code)
    assert not done.stdout
    *remarks, last = done.stderr.splitlines()
    assert not [line for line in remarks if not line.startswith(("cleaning ", "judging "))]
    assert last.startswith("error: ")
    assert "internal fault" not in last
    assert "while running" not in last
    assert not [each for each in case.says if each not in last], last
    return last


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return installation(tmp_path / "place")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Forty days of two series, ingested and prepared; no weather, no model. Not to be changed: copy it."""
    first = datetime(2024, 1, 1, tzinfo=UTC)
    rows = (*hourly("a", first, 960), *hourly("b", first, 960))
    place = installation(tmp_path_factory.mktemp("kept") / "place", *rows)
    place.run("ingest")
    place.run("prepare")
    return place


def test_a_file_that_cannot_be_used_is_named_and_changes_nothing(kept: Place) -> None:
    contents = {
        "empty.csv": ("", "the file is empty; expected a header and at least one row"),
        "header.csv": (f"{HEADER}\n", "the file is empty"),
        "bad.parquet": ("no", "not a whole Parquet file"),
        "short.csv": ("unique_id,y\na,1\n", "there is no column 'ds'; the file has ['unique_id', 'y']"),
        "typo.csv": (
            "unique_Id,ds,y\na,b,1\n",
            "there is no column 'unique_id'; the file has ['unique_Id', 'ds', 'y']",
        ),
        "none_good.csv": (
            f"{HEADER}\na,2024-01-01T00:00Z,x\n,2024-01-01T00:00Z,2\na,soon,1\na,2024-01-01T00:00Z,nan\n",
            "none of 4 rows could be used (load_not_a_number: 1, load_not_finite: 1, missing_series_id: 1, unparsable",
        ),
    }
    for name, (content, _) in contents.items():
        (kept.directory / name).write_text(content)

    messages = refused(
        kept,
        Case(("ingest", "--readings", "reading.csv"), ("reading.csv: there is no such file", "mean 'readings.csv'?")),
        *(Case(("ingest", "--readings", name), (f"{name}: {says}",)) for name, (_, says) in contents.items()),
    )

    assert "Did you mean 'unique_Id'?" in messages[5]
    assert "Nothing was changed" in messages[6]


def test_broken_holidays_and_weather_are_refused_before_anything_is_written(place: Place) -> None:
    write(place, "a,2024-01-01T00:00Z,1")
    write(place, "2024-12-25,Christmas", header="day,name", name="days.csv")
    write(place, "here,2024-01-01T00:00Z,1", header="station,valid_time,temperature_c", name="weather.csv")

    refused(
        place,
        Case(("ingest", "--holidays", "days.csv"), ("days.csv: there is no column 'date'",)),
        Case(("ingest", "--weather", "weather.csv"), ("weather.csv: there is no column 'station_id'", "'station'?")),
    )


def test_times_without_a_zone_are_refused_and_beside_times_with_one_rejected(tmp_path: Path) -> None:
    place = installation(tmp_path / "place", "a,2024-01-01T00:00,1", time_zone="null")
    configure(place, "pipeline", SOURCE % "null" + "hierarchy: {time_zone: Europe/London}\n")

    refused(
        place,
        Case(("ingest",), ("readings.csv, column 'ds': 2024-01-01T00:00 has no UTC offset", "+01:00', or time_zone")),
    )

    write(place, "a,2024-01-01T00:00,1", "a,2024-01-01T01:00Z,1", "a,2024-01-01T03:00+01:00,2")
    result = place.json("ingest")

    assert (result["readings"], result["rejected"]) == (2, {"time_without_offset": 1})
    assert dead_letters(place) == [("readings.csv", 1, "time_without_offset", "a,2024-01-01T00:00,1")]


def dead_letters(place: Place) -> list[tuple[object, ...]]:
    return pl.read_csv(place.directory / "data/raw/dead_letter/files.csv").rows()


def test_bad_rows_go_to_the_dead_letter_and_doubtful_loads_are_repaired_in_sight(place: Place) -> None:
    start = datetime(2024, 10, 20, tzinfo=UTC)
    good = [*hourly("a", start, 24 * 14), *hourly("b", start, 24 * 14)]
    negative = "a,2024-10-22T05:00Z,-500"
    twice = ["a,2024-10-23T05:00Z,77", "a,2024-10-23T05:00Z,1044"]
    broken = [
        "a,2024-10-24T05:00Z,a lot",
        "a,2024-10-24T06:00Z,nan",
        "a,2024-10-24T07:00Z,-inf",
        "b,2024-03-31 01:30,1",
        ",2024-10-24T08:00Z,1",
        "b,soon,1",
        "b,2024-10-24T08:00Z,1,2",
    ]
    write(place, *good, negative, *twice, *broken)
    write(place, "2024-12-25,Christmas", "2024-13-45,Never", header="date,name", name="days.csv")

    ingested = place.json("ingest", "--holidays", "days.csv")
    prepared = place.json("prepare", env={"GRIDCAST_PIPELINE__QUALITY__CLOCK_SLIP": "false"})

    assert ingested["readings"] == len(good) + 3
    assert ingested["holidays"] == 1
    assert ingested["rejected"] == {
        "load_not_a_number": 1,
        "load_not_finite": 2,
        "missing_series_id": 1,
        "nonexistent_local_time": 1,
        "too_many_fields": 1,
        "unparsable_date": 1,
        "unparsable_time": 1,
    }
    letters = dead_letters(place)
    assert {str(raw) for _, _, _, raw in letters} == {*broken, "2024-13-45,Never"}
    assert ("readings.csv", len(good) + 4, "load_not_a_number", broken[0]) in letters
    assert ("days.csv", 2, "unparsable_date", "2024-13-45,Never") in letters

    quality = {each["series_id"]: each for each in prepared["quality"]}
    assert (quality["a"]["removed"], quality["a"]["negative"], quality["a"]["estimated"]) == (3, 1, 1)
    clean = Processed.open(place.directory / "data/processed").readings().filter(series_id="a")
    below = clean.row(by_predicate=pl.col("valid_time") == datetime(2024, 10, 22, 5, tzinfo=UTC), named=True)
    assert (below["raw_load_mw"], below["quality"]) == (-0.5, "estimated")
    assert below["rule"].startswith("negative")
    assert below["load_mw"] > 1
    assert clean.filter(valid_time=datetime(2024, 10, 23, 5, tzinfo=UTC))["raw_load_mw"].to_list() == [1.044]


def test_wall_clock_days_of_23_and_25_hours_are_whole_days(place: Place) -> None:
    days = {"spring": (date(2024, 3, 31), 23), "autumn": (date(2024, 10, 27), 25)}
    times = {
        series_id: pl.datetime_range(
            datetime.combine(day, time()),
            datetime.combine(day + timedelta(days=1), time()),
            "1h",
            closed="left",
            time_zone="Europe/London",
            eager=True,
        )
        for series_id, (day, _) in days.items()
    }
    write(
        place,
        *(f"{name},{each:%Y-%m-%d %H:%M},{1000 + row}" for name in days for row, each in enumerate(times[name])),
    )

    ingested = place.json("ingest")
    prepared = place.json("prepare")

    assert (ingested["readings"], ingested["rejected"]) == (23 + 25, {})
    assert {each["series_id"]: each["removed"] for each in prepared["quality"] if each["removed"]} == {}
    local_date = pl.col("valid_time").dt.convert_time_zone("Europe/London").dt.date()
    for series_id, (day, hours) in days.items():
        clean = Processed.open(place.directory / "data/processed").readings()
        whole = clean.filter(pl.col("series_id") == series_id, local_date == day)
        assert whole["quality"].to_list() == ["good"] * hours
        assert whole["raw_load_mw"].to_list() == pytest.approx([1 + row / 1000 for row in range(hours)])


def test_every_fault_of_a_settings_file_is_told_with_its_line_and_what_is_accepted(place: Place) -> None:
    configure(
        place,
        "pipeline",
        "intervall: PT1H\nbeam:\n  block_rows: many\nsources:\n  files:\n    kind: files\n    readings: x.csv\n"
        "    weather_format:\n      unit: K\n    readings_format:\n      unit: GW\n",
    )

    done = place.run("ingest", code=2)

    assert not done.stdout
    where = "config/pipeline_config.yaml"
    problems = done.stderr.removeprefix("error: ").splitlines()
    assert len(problems) == 4
    (typo,) = (each for each in problems if each.startswith(f"{where}:1: unknown key 'intervall'"))
    assert typo.endswith("Did you mean 'interval'?")
    assert any(each.startswith(f"{where}:3: beam.block_rows: got 'many'") for each in problems)
    assert any(each.startswith(f"{where}:9: ") and "unit 'K'" in each and "('C', 'F')" in each for each in problems)
    assert any(each.startswith(f"{where}:11: ") and "unit 'GW'" in each and "'MWh'" in each for each in problems)
    assert not (place.directory / "data").exists()


def test_settings_that_cannot_be_read_at_all_exit_with_2(place: Place) -> None:
    shutil.copytree(place.directory / "config", place.directory / "broken")
    (place.directory / "broken/model_config.yaml").write_text("training: [1\n")
    (place.directory / "taken").write_text("a file")

    refused(
        place,
        Case(("ingest", "--config", "broken"), ("broken/model_config.yaml: not YAML", "line 2"), 2),
        Case(("ingest", "--config", "nowhere"), ("config nowhere: not a folder",), 2),
        Case(
            ("ingest",),
            ("environment variable GRIDCAST_PIPELINE__INTERVAL: interval: got 'often'; expected an ISO 8601 duration",),
            2,
            {"GRIDCAST_PIPELINE__INTERVAL": "often"},
        ),
        Case(
            ("ingest",),
            ("environment variable GRIDCAST_PIPELINE__INTERVALL: unknown key 'intervall'", "mean 'interval'?"),
            2,
            {"GRIDCAST_PIPELINE__INTERVALL": "PT1H"},
        ),
        Case(
            ("ingest",),
            ("data_dir taken/data: taken is not a folder",),
            2,
            {"GRIDCAST_APP__DATA_DIR": "taken/data"},
        ),
        Case(("stream", "--last", "P7"), ("'P7' is not a duration; expected ISO 8601 such as P7D",), 2),
    )

    assert not (place.directory / "data").exists()


def test_words_the_command_line_does_not_know_exit_with_2(place: Place) -> None:
    for arguments, what in (
        (("train", "--nonsense"), "No such option: --nonsense"),
        (("nonsense",), "No such command 'nonsense'"),
        (("prepare", "--format", "xml"), "'xml' is not one of 'table', 'json'"),
    ):
        done = place.run(*arguments, code=2)
        assert what in done.stderr.splitlines()[-1]
        assert "--help" in done.stderr


def test_options_for_beam_without_a_runner_are_refused(place: Place) -> None:
    told = place.run("prepare", "--job_endpoint", "localhost:1", code=2).stderr
    assert "--job_endpoint localhost:1: not an option of prepare" in told
    assert "--runner before options for Beam" in told


def test_a_stage_that_comes_too_early_names_the_one_to_run_first(place: Place, kept: Place) -> None:
    no_history = ('data/processed: no clean readings here; run "gridcast prepare" first',)
    unregistered = ("model 'champion' is not registered", "run 'gridcast train' first")
    not_in_charge = ('no model is in charge; expected a champion. Run "gridcast train"',)

    refused(
        place,
        Case(("prepare",), ('data/raw: no readings here; run "gridcast ingest" first',)),
        *(Case((name,), no_history) for name in ("train", "stream", "report", "forecast")),
    )
    refused(
        kept,
        *(Case((name,), unregistered) for name in ("backtest", "promote")),
        *(Case((name,), not_in_charge) for name in ("forecast", "stream")),
    )


def test_too_short_a_history_and_too_fine_an_interval_are_refused(kept: Place) -> None:
    refused(
        kept,
        Case(("train",), ("the history begins 2024-01-01 00:00Z", "lower backtest.days in config/model_config.yaml")),
        Case(
            ("prepare",),
            ("its readings usually come 1:00:00 apart", "Set the interval to that of the coarsest series"),
            env={"GRIDCAST_PIPELINE__INTERVAL": "PT15M"},
        ),
    )


def test_damaged_databases_are_refused_as_they_are(kept: Place) -> None:
    for name in OPENED:
        file = kept.directory / f"damaged-{Path(name).stem}" / name
        file.parent.mkdir(parents=True)
        file.write_bytes(b"garbage" * 1000)

    refused(
        kept,
        Case(
            ("status",),
            ("store damaged-gridcast/gridcast.db: file is not a database",),
            env={"GRIDCAST_APP__DATA_DIR": "damaged-gridcast"},
        ),
        Case(
            ("status",),
            ("registry damaged-mlflow/registry: file is not a database",),
            env={"GRIDCAST_APP__DATA_DIR": "damaged-mlflow"},
        ),
    )


def test_damaged_history_is_named_and_made_again_by_the_stage_that_writes_it(kept: Place, tmp_path: Path) -> None:
    place = Place(shutil.copytree(kept.directory, tmp_path / "copy"))
    data = place.directory / "data"
    raw = data / "raw/readings/month=2024-01/files.parquet"
    raw.write_bytes(raw.read_bytes()[:1000])
    (data / "processed/manifest.json").write_text("{}")

    refused(
        place,
        Case(
            ("prepare",),
            ("month=2024-01/files.parquet: not a whole Parquet file", 'run "gridcast ingest" again'),
        ),
        Case(("forecast",), ("data/processed/manifest.json: cannot be read", '"gridcast prepare" wrote. Run it again')),
    )
    place.run("ingest")
    place.run("prepare")

    was, now = (Processed.open(each.directory / "data/processed") for each in (kept, place))
    assert now.fingerprint == was.fingerprint
    assert now.readings().equals(was.readings())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk_in(tmp_path, size="12m") as disk:
        yield disk


def fill(disk: Path, *, leave: int) -> Path:
    """A file that takes all but `leave` bytes of the disk."""
    ballast = disk / "ballast"
    ballast.unlink(missing_ok=True)
    free = os.statvfs(disk)
    ballast.write_bytes(bytes(free.f_bavail * free.f_frsize - leave))
    return ballast


def test_a_full_disk_stops_ingest_and_prepare_whole_and_space_lets_them_finish(kept: Place, small_disk: Path) -> None:
    data = small_disk / "data"
    env = {"GRIDCAST_APP__DATA_DIR": str(data)}
    write(
        kept,
        *(f"here,2024-01-{day:02}T00:00Z,{day}" for day in range(1, 31)),
        header="station_id,valid_time,temperature_c",
        name="weather.csv",
    )
    ingest = ("ingest", "--weather", "weather.csv")
    says = ("the disk is full", "nothing was half-written. Free some space and run the command again")
    ballast = fill(small_disk, leave=12 * 1024)

    refused(kept, Case(ingest, says, env=env), data=data)

    assert set(files(data)) <= set(OPENED)
    ballast.unlink()
    kept.run(*ingest, env=env)
    ballast = fill(small_disk, leave=24 * 1024)
    write(kept, *hourly("a", datetime(2024, 1, 1, tzinfo=UTC), 2400), name="longer.csv")

    refused(kept, Case((*ingest, "--readings", "longer.csv"), says, env=env), data=data)
    refused(kept, Case(("prepare",), says, env=env), data=data)

    ballast.unlink()
    kept.run("prepare", env=env)
    assert files(data / "raw/readings") == files(kept.directory / "data/raw/readings")
    assert not list(data.rglob(".*"))


class TestWithAModel:
    def test_what_cannot_be_forecast_is_refused_and_nothing_is_stored(self, promoted: Place) -> None:
        tried = (
            (2, ("--series", "sytem"), "unknown series ['sytem']; expected any of ['system', 'zone_01'"),
            (2, ("--as-of", "2008-06-29T06:00"), "'2008-06-29T06:00' has no UTC offset"),
            (2, ("--to", "nowhere/rows.csv"), "--to nowhere/rows.csv: nowhere is not a folder"),
            (1, ("--as-of", "2030-01-01T00:00Z"), "issue time 2030-01-01 00:00Z: no readings in the"),
            (1, ("--as-of", "2008-06-29T06:17Z"), "2008-06-29 06:17+0000: not an interval start"),
        )
        refused(promoted, *(Case(("forecast", *arguments), (says,), code) for code, arguments, says in tried))

    def test_a_full_disk_stops_the_stream_between_two_ticks_and_space_lets_it_finish(
        self, promoted: Place, small_disk: Path
    ) -> None:
        data = Path(shutil.copytree(promoted.directory / "data", small_disk / "data"))
        env = {"GRIDCAST_APP__DATA_DIR": str(data)}
        ticks: list[str] = []
        for leave in range(1_000_000, 3_000_000, 250_000):
            for each in data.glob("gridcast.db*"):
                each.unlink()
            ballast = fill(small_disk, leave=leave)
            *ticks, message = promoted.run("stream", "--last", "PT4H", env=env, code=1).stderr.splitlines()
            if ticks:
                break

        assert 0 < len(ticks) < 4
        assert all(each.startswith("replaying: ") for each in ticks)
        assert message.startswith(f"error: store {data}/gridcast.db: database or disk is full")
        ballast.unlink()
        rest = promoted.json("stream", "--last", "PT4H", env=env)
        assert len(ticks) + rest["ticks"] == 4
        assert promoted.json("store", "status", env=env)["rows"]["forecasts"] == 4 * 48 * 4
