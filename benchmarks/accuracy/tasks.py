"""What is forecast: a panel, where training ends and where each forecast begins."""

import os
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import polars as pl

from gridcast.features.panel import Panel, panel_from_frames
from gridcast.features.station_choice import learn_station_mix
from gridcast.features.station_reports import reports_on
from gridcast.features.windows import Inputs, window_inputs, window_targets
from gridcast.ingestion.sample import INTERVAL, TIME_ZONE, read_sample

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]

LEADS = 48
HOUR = timedelta(hours=1)
MELBOURNE = "Australia/Melbourne"
SYSTEM = "system"
VICTORIA = Path(os.environ.get("GRIDCAST_VICTORIA", "../shared/data/vic_elec.parquet"))
"""Where the load of Victoria may be, see the user guide."""


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """One series, forecast `LEADS` hours ahead from each of `origins` (fold,), learned before `train_until`."""

    panel: Panel
    train_until: int
    origins: Ints

    def inputs(self, origins: Ints) -> Inputs:
        """What gridcast reads at these positions."""
        return window_inputs(self.panel, series=np.zeros_like(origins), origin=origins, leads=LEADS)

    def loads(self, origins: Ints) -> Floats:
        """What came, MW, (fold, lead)."""
        series = np.zeros_like(origins)
        return window_targets(self.panel, series=series, origin=origins, leads=LEADS).astype(np.float64)


def victoria(file: Path) -> Task:
    """Victoria: 2012 and 2013 are learned, every local day of 2014 is forecast."""
    rows = pl.read_parquet(file)
    local_date = pl.col("time").dt.convert_time_zone(MELBOURNE).dt.date().alias("date")
    holidays = rows.filter("holiday").select(local_date).unique().sort("date").with_columns(pl.lit("").alias("name"))
    hours = rows.group_by_dynamic("time", every="1h").agg(pl.col("load_mw", "temperature_c").mean())
    when = pl.col("time").alias("valid_time")
    panel = panel_from_frames(
        hours.select(pl.lit("victoria").alias("series_id"), when, "load_mw"),
        weather=hours.select(when, "temperature_c"),
        holidays=holidays,
        time_zones={"victoria": MELBOURNE},
        interval=HOUR,
        series_ids=["victoria"],
    )
    return _daily(panel, first=date(2014, 1, 1), days=364, time_zone=MELBOURNE)


def sample_panel(*, zones: int = 20, until: datetime | None = None, learn_until: int | None = None) -> Panel:
    """The first zones of the sample up to `until`, their station mix learned before position `learn_until`."""
    sample = read_sample()
    ids = sample.readings["series_id"].unique().sort().to_list()[:zones]
    panel = panel_from_frames(
        sample.readings,
        weather=sample.weather,
        holidays=sample.holidays,
        time_zones=dict.fromkeys(ids, TIME_ZONE),
        interval=INTERVAL,
        series_ids=ids,
        until=until,
    )
    reports = reports_on(sample.weather, time=panel.time, interval=INTERVAL)
    mix = learn_station_mix(panel, reports, until=len(panel.time) if learn_until is None else learn_until)
    return panel.with_weather(sample.weather, station_mix=mix)


def sample_with_system(*, until: datetime | None = None) -> tuple[Panel, pl.DataFrame]:
    """All zones of the sample and their sum up to `until`, their stations not mixed yet, and the weather."""
    sample = read_sample()
    total = sample.readings.group_by("valid_time").agg(pl.col("load_mw").sum(), pl.col("available_at").max())
    system = total.with_columns(pl.lit(SYSTEM).alias("series_id")).select(sample.readings.columns)
    ids = [*sample.readings["series_id"].unique().sort(), SYSTEM]
    panel = panel_from_frames(
        pl.concat([sample.readings, system]),
        weather=sample.weather,
        holidays=sample.holidays,
        time_zones=dict.fromkeys(ids, TIME_ZONE),
        interval=INTERVAL,
        series_ids=ids,
        until=until,
    )
    return panel, sample.weather


def sample_slice(*, days: int) -> Task:
    """One zone of the sample: a year is learned, `days` days after it are forecast."""
    learned = 375 * 24
    panel = sample_panel(zones=1, until=datetime(2005, 3, 1, tzinfo=UTC), learn_until=learned)
    return _daily(panel, first=date(2005, 1, 10), days=days, time_zone=TIME_ZONE)


def _daily(panel: Panel, *, first: date, days: int, time_zone: str) -> Task:
    zone = ZoneInfo(time_zone)
    midnights = [datetime.combine(first + timedelta(days=day), time(), zone) for day in range(days)]
    origins = np.array([panel.index_of(each.astimezone(UTC)) for each in midnights], dtype=np.int32)
    return Task(panel, int(origins[0]), origins)
