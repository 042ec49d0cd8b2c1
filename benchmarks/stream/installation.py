"""An installation of many feeders with the loads of the sample's zones, and a model that was hardly taught."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from gridcast.domain.tables import HOLIDAYS, READINGS
from gridcast.ingestion import raw
from gridcast.ingestion.sample import read_sample
from gridcast.ingestion.tabular.columns import DEAD_ROWS
from gridcast.registry.catalogue import CHAMPION
from gridcast.registry.mlflow_registry import Registry

START = datetime(2008, 1, 1, tzinfo=UTC)
END = datetime(2008, 6, 29, 6, tzinfo=UTC)
GRIDCAST = Path(sys.executable).with_name("gridcast")
_PIPELINE = """
sources:
  feeders: {{kind: files, readings: none.csv, readings_format: {{text: {{time_zone: UTC}}}}}}
{live}
hierarchy: {{time_zone: America/New_York}}
"""
_MODEL = """
training: {epochs: 1, windows_per_epoch: 2048, held_out_blocks: 2}
backtest: {days: 14}
"""
"""The network has its default size: what a forecast costs does not depend on what was learned."""
_SMALL = "network: {width: 16, blocks: 1, encoder_width: 8}"


def build(folder: Path, *, feeders: int, quick: bool, live: str = "") -> Path:
    """Half a year of hourly readings, prepared, and a champion; a small one if it has to be quick.

    `live` is a source of `config/pipeline_config.yaml` that readings go on from, and what else stands behind it.
    """
    config = folder / "config"
    config.mkdir(parents=True)
    (config / "pipeline_config.yaml").write_text(_PIPELINE.format(live=live))
    (config / "model_config.yaml").write_text(_MODEL + (_SMALL if quick else ""))
    sample = read_sample()
    raw.write_source(
        folder / "data" / "raw",
        source="feeders",
        readings=_readings(sample.readings, feeders=feeders),
        weather=sample.weather.filter(pl.col("valid_time") >= START),
        holidays=sample.holidays.cast(HOLIDAYS),
        dead=DEAD_ROWS.to_frame(),
    )
    command(folder, "prepare")
    version = command(folder, "train")["version"]
    Registry.open(folder / "data" / "registry").set_alias(CHAMPION, str(version))
    return folder


def command(folder: Path, *arguments: str) -> dict[str, Any]:
    """What a command says."""
    done = subprocess.run(
        [GRIDCAST, *arguments, "--format", "json"], cwd=folder, check=True, stdout=subprocess.PIPE, text=True
    )
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def _readings(zones: pl.DataFrame, *, feeders: int) -> pl.DataFrame:
    known = zones.filter(pl.col("valid_time").is_between(START, END, closed="left"))
    names = known["series_id"].unique().sort().to_list()
    size = np.random.default_rng(0).uniform(0.01, 1.0, feeders)
    parts = [
        known.filter(series_id=names[number % len(names)]).with_columns(
            series_id=pl.lit(f"feeder_{number:05d}"), load_mw=pl.col("load_mw") * size[number]
        )
        for number in range(feeders)
    ]
    return pl.concat(parts).select(READINGS.names()).cast(READINGS)
