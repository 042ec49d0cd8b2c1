"""A small installation on a user's own files, driven through the real command line."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from gridcast.ingestion.sample import read_sample

GRIDCAST = Path(sys.executable).with_name("gridcast")
ZONES = ("zone_01", "zone_02", "zone_10")
FAULTS = {"spike": 2, "gap": 5, "double": 7}
"""Hours of 30 June, UTC."""
FIRST = datetime(2007, 12, 1, tzinfo=UTC)

CONFIG = {
    "app_config.yaml": "report:\n  title: Three zones\n",
    "pipeline_config.yaml": """
sources:
  files:
    kind: files
    readings: readings.csv
    weather: weather.csv
    holidays: holidays.csv
    readings_format: {series_id: unique_id, valid_time: ds, load: y, unit: kW, text: {time_zone: Europe/London}}
    weather_format: {station_id: null, valid_time: ds, temperature: f, unit: F, text: {time_zone: UTC}}
calendar:
  country: GB
  series: {zone_10: {subdivision: SCT}}
  events: events.csv
""",
    "model_config.yaml": """
network: {width: 32, blocks: 1, encoder_width: 16}
training: {members: 2, epochs: 4, windows_per_epoch: 2048, batch_size: 128}
backtest: {days: 14}
gate: {coverage_80: [0.5, 0.95]}
""",
}


@dataclass(frozen=True)
class Place:
    """A folder with config, source files and data, and the commands run in it."""

    directory: Path

    def run(
        self, *arguments: str, env: Mapping[str, str] | None = None, code: int = 0
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [GRIDCAST, *arguments],
            cwd=self.directory,
            env=self.environment(env),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == code, f"{arguments} gave {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    def json(self, *arguments: str, env: Mapping[str, str] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = json.loads(self.run(*arguments, "--format", "json", env=env).stdout)
        return result

    def environment(self, env: Mapping[str, str] | None = None) -> dict[str, str]:
        outside = {name: value for name, value in os.environ.items() if not name.startswith("GRIDCAST_")}
        return {**outside, **(env or {})}


def write_source(directory: Path) -> None:
    """Half a year of three zones as a utility would hand it over: London wall time, kW, °F, some rows broken.

    In the last hours a reading is missing, one is a spike and one comes twice.
    """
    sample = read_sample()
    readings = sample.readings.filter(pl.col("series_id").is_in(ZONES), pl.col("valid_time") >= FIRST)
    at = {name: pl.col("valid_time") == datetime(2008, 6, 30, hour, tzinfo=UTC) for name, hour in FAULTS.items()}
    doubled = readings.filter(at["double"], series_id="zone_01").with_columns(pl.col("load_mw") * 1.02)
    is_spike = at["spike"] & (pl.col("series_id") == "zone_10")
    readings = pl.concat([readings, doubled]).filter(~(at["gap"] & (pl.col("series_id") == "zone_02")))
    readings = readings.with_columns(
        pl.when(is_spike).then(pl.col("load_mw") * 6).otherwise("load_mw").alias("load_mw")
    )
    local = pl.col("valid_time").dt.convert_time_zone("Europe/London").dt.strftime("%Y-%m-%d %H:%M")
    kilowatts = (pl.col("load_mw") * 1000).round(3).cast(pl.String)
    rows = readings.select(pl.col("series_id").alias("unique_id"), local.alias("ds"), kilowatts.alias("y"))
    broken = pl.DataFrame(
        {
            "unique_id": ["zone_01"] * 3,
            "ds": ["2008-03-30 01:30", "2008-05-01 07:00", "someday"],
            "y": ["1", "a lot", "2"],
        }
    )
    pl.concat([rows, broken]).write_csv(directory / "readings.csv")
    weather = sample.weather.filter(pl.col("valid_time") >= FIRST)
    mean = weather.group_by("valid_time").agg(pl.col("temperature_c").mean()).sort("valid_time")
    mean.select(
        pl.col("valid_time").dt.strftime("%Y-%m-%dT%H:%M").alias("ds"),
        (pl.col("temperature_c") * 1.8 + 32).round(2).alias("f"),
    ).write_csv(directory / "weather.csv")
    sample.holidays.write_csv(directory / "holidays.csv")
    (directory / "events.csv").write_text("start,name,series\n2008-01-20,final,zone_0*\n2008-06-30,final,zone_0*\n")
