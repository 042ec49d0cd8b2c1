"""Of the forecasts of each local day the last one that was issued before it, as a person would have planned by."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from gridcast.domain.tables import Quality
from gridcast.evaluation.daily_peaks import daily_peaks
from gridcast.store import monitored_forecasts, monitored_readings
from gridcast.store.as_of import Connection

MEASURED = (Quality.GOOD.value, Quality.EDITED.value)
_LONGEST_DAY = timedelta(hours=26)
_ONE_DAY = timedelta(days=1)


def day_starts(end: datetime, *, days: int, time_zone: str) -> list[datetime]:
    """Local midnights, UTC, of the last whole local days before `end`, and that which ends them; ascending."""
    zone = ZoneInfo(time_zone)
    last = end.astimezone(zone).date()
    dates: list[date] = [last - each * _ONE_DAY for each in range(days, -1, -1)]
    return [datetime.combine(each, time(), zone).astimezone(end.tzinfo) for each in dates]


def daily_points(
    connection: Connection,
    series_ids: Sequence[str],
    *,
    starts: Sequence[datetime],
    columns: Sequence[str],
    ahead: timedelta = timedelta(0),
) -> pl.DataFrame:
    """Forecasts of whole local days beside what was measured.

    Args:
        connection: to the store.
        series_ids: whose; the times of issue are those of the first of them.
        starts: local midnights, see `day_starts`.
        columns: of FORECASTS.
        ahead: how long before the day a forecast must have been issued; the last such one counts.

    Returns:
        `series_id`, `issue_time`, `valid_time`, the columns, `actual_mw` (null: not measured), `load_mw`, `day` (the
        midnight before); a day without such a forecast, at most a day older, has no rows.
    """
    issued = monitored_forecasts.issue_times(
        connection, series_ids[0], start=starts[0] - ahead - _ONE_DAY, end=starts[-1] + timedelta(microseconds=1)
    )
    chosen = {}
    for start in starts[:-1]:
        latest = start - ahead
        before = [each for each in issued if latest - _ONE_DAY < each <= latest]
        if before:
            chosen[start] = before[-1]
    days = pl.DataFrame(
        {"day": list(chosen), "issue_time": list(chosen.values()), "day_end": [_next(starts, each) for each in chosen]},
        schema={name: pl.Datetime("us", "UTC") for name in ("day", "issue_time", "day_end")},
    )
    lead_end = ahead + _ONE_DAY + _LONGEST_DAY
    rows = monitored_forecasts.issued_at(
        connection, series_ids, list(chosen.values()), columns=columns, lead_end=lead_end
    )
    points = rows.join(days, on="issue_time").filter(
        pl.col("valid_time") >= pl.col("day"), pl.col("valid_time") < pl.col("day_end")
    )
    loads = monitored_readings.loads(connection, series_ids, start=starts[0], end=starts[-1])
    measured = pl.when(pl.col("quality").is_in(MEASURED)).then("load_mw")
    actual = loads.select("series_id", "valid_time", "load_mw", actual_mw=measured)
    return points.drop("day_end").join(actual, on=["series_id", "valid_time"], how="left")


def peak_errors(points: pl.DataFrame, *, time_zone: str, interval: timedelta) -> pl.DataFrame:
    """Mean errors of the size (MW) and hour of daily peaks of `daily_points`: `series_id`, `size_mw`, `hours`."""
    zones = dict.fromkeys(points["series_id"].unique().sort(), time_zone)
    peaks = [
        daily_peaks(points.select("series_id", "valid_time", load_mw=name), time_zones=zones, interval=interval)
        for name in ("p50", "actual_mw")
    ]
    both = peaks[0].join(peaks[1], on=["series_id", "date"], suffix="_actual")
    size, hour = ((pl.col(name) - pl.col(f"{name}_actual")).abs() for name in ("peak_mw", "peak_hour"))
    return both.group_by("series_id").agg(size.mean().alias("size_mw"), hour.mean().alias("hours")).sort("series_id")


def _next(starts: Sequence[datetime], start: datetime) -> datetime:
    return starts[starts.index(start) + 1]
