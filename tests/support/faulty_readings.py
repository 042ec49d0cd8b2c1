"""Made readings with known faults, for tests of the quality rules."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from hypothesis import strategies as st

from gridcast.domain.tables import READINGS, UTC_TIME

HOUR = timedelta(hours=1)
START = datetime(2024, 2, 20, tzinfo=UTC)


def steady(
    series_id: str = "a", *, start: datetime = START, days: int = 40, interval: timedelta = HOUR, zone: str = "UTC"
) -> pl.DataFrame:
    """Readings with a daily shape in local time, each known when its interval ends."""
    utc = pl.datetime_range(start, start + timedelta(days=days), interval, closed="left", eager=True).cast(UTC_TIME)
    hour = utc.dt.convert_time_zone(zone).dt.hour() + utc.dt.convert_time_zone(zone).dt.minute() / 60
    wobble = np.random.default_rng(days).normal(0, 0.5, len(utc))
    load = 100 + 30 * np.sin((hour.to_numpy() - 9) * np.pi / 12) + wobble
    columns = {"series_id": [series_id] * len(utc), "valid_time": utc, "load_mw": load, "available_at": utc + interval}
    return pl.DataFrame(columns, schema=READINGS)


def at(time: datetime) -> pl.Expr:
    return pl.col("valid_time") == time


def between(start: datetime, length: timedelta) -> pl.Expr:
    return pl.col("valid_time").is_between(start, start + length, closed="left")


def replaced(readings: pl.DataFrame, where: pl.Expr, load_mw: float) -> pl.DataFrame:
    return readings.with_columns(pl.when(where).then(load_mw).otherwise("load_mw").alias("load_mw"))


def late_clock(readings: pl.DataFrame, *, where: pl.Expr, hours: int) -> pl.DataFrame:
    """Some readings stamped that many hours late, which arrive when they always would."""
    return pl.concat(
        [readings.filter(~where), readings.filter(where).with_columns(pl.col("valid_time") + hours * HOUR)]
    )


@st.composite
def faulty(draw: st.DrawFn) -> pl.DataFrame:
    """Two series in two time zones with every fault the rules know in the last days."""
    parts = []
    for series_id, zone in (("a", "Europe/London"), ("b", "Asia/Kolkata")):
        phase = timedelta(minutes=30) if zone == "Asia/Kolkata" else timedelta(0)
        readings = steady(series_id, start=START + phase, days=46, zone=zone)
        for _ in range(draw(st.integers(3, 8))):
            where = between(START + phase + HOUR * draw(st.integers(26 * 24, 46 * 24)), HOUR * draw(st.integers(1, 60)))
            kind = draw(st.sampled_from(["gap", "stuck", "negative", "spike", "again", "unit", "clock"]))
            if kind == "unit":
                factor = draw(st.sampled_from([1000.0, 0.001]))
                slipped = pl.when(where).then(pl.col("load_mw") * factor).otherwise("load_mw")
                readings = readings.with_columns(slipped.alias("load_mw"))
            elif kind == "clock":
                readings = late_clock(readings, where=where, hours=draw(st.sampled_from([-3, -2, 2, 3])))
            elif kind == "gap":
                readings = readings.filter(~where)
            elif kind == "again":
                readings = pl.concat([readings, readings.filter(where).with_columns(pl.col("load_mw") + 1)])
            else:
                readings = replaced(readings, where, {"stuck": 55.5, "negative": -1.0, "spike": 900.0}[kind])
        parts.append(readings)
    return pl.concat(parts).sample(fraction=1.0, shuffle=True, seed=draw(st.integers(0, 9)))
