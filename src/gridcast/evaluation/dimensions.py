"""By what scores are broken down: terms of the lead, of the local clock and calendar, and of the series."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from gridcast.domain.dimensions import Dimension
from gridcast.domain.lead_time import LEAD_BUCKETS
from gridcast.domain.series import Level

WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
SEASONS: Final = ("Dec–Feb", "Mar–May", "Jun–Aug", "Sep–Nov")
DAY_KINDS: Final = ("ordinary day", "holiday")
ORDERS: Final[Mapping[str, tuple[str, ...]]] = {
    Dimension.LEAD_BUCKET: tuple(each.label for each in LEAD_BUCKETS),
    Dimension.WEEKDAY: WEEKDAYS,
    Dimension.SEASON: SEASONS,
    Dimension.HOLIDAY: DAY_KINDS,
    Dimension.LEVEL: tuple(reversed(Level)),
}
"""Values of a dimension in reading order; others are sorted by themselves."""


@dataclass(frozen=True, slots=True, eq=False)
class SeriesFacts:
    """What breakdowns need to know of the series.

    Attributes:
        time_zones: series → IANA zone.
        levels: series → level of the hierarchy.
        holidays: series_id, date (local); a row for each holiday of a series.
    """

    time_zones: Mapping[str, str]
    levels: Mapping[str, str]
    holidays: pl.DataFrame


def with_dimensions(frame: pl.DataFrame, *, facts: SeriesFacts) -> pl.DataFrame:
    """The scored frame with a column for each dimension, the rows in their order; see `Dimension`.

    Raises:
        ValueError: a lead is outside the buckets.
    """
    local = frame.with_columns(_local=_local_wall_time(frame["series_id"].unique(), facts.time_zones))
    month, date = pl.col("_local").dt.month(), pl.col("_local").dt.date()
    holidays = facts.holidays.select("series_id", pl.col("date").alias("_date")).unique().with_columns(_off=True)
    derived = local.with_columns(
        _named(pl.col("_local").dt.hour(), [f"{hour:02d}" for hour in range(24)]).alias(Dimension.HOUR),
        _named(pl.col("_local").dt.weekday() - 1, WEEKDAYS).alias(Dimension.WEEKDAY),
        _named(month % 12 // 3, SEASONS).alias(Dimension.SEASON),
        pl.col("series_id").replace_strict(dict(facts.levels), return_dtype=pl.String).alias(Dimension.LEVEL),
        date.alias("_date"),
        lead_bucket(frame).alias(Dimension.LEAD_BUCKET),
    ).join(holidays, on=["series_id", "_date"], how="left", validate="m:1", maintain_order="left")
    kind = pl.when(pl.col("_off")).then(pl.lit(DAY_KINDS[1])).otherwise(pl.lit(DAY_KINDS[0]))
    return derived.with_columns(kind.alias(Dimension.HOLIDAY)).drop("_local", "_date", "_off")


def lead_bucket(frame: pl.DataFrame) -> pl.Series:
    """The label of the lead bucket of each row.

    Raises:
        ValueError: a lead is outside the buckets.
    """
    lead = frame["valid_time"] - frame["issue_time"]
    outside = lead.filter((lead < LEAD_BUCKETS[0].start) | (lead >= LEAD_BUCKETS[-1].end))
    if len(outside):
        raise ValueError(
            f"{len(outside)} leads such as {outside[0]} found; expected 0 ≤ lead < {LEAD_BUCKETS[-1].end}."
        )
    cut = pl.lit(LEAD_BUCKETS[-1].label)
    for bucket in reversed(LEAD_BUCKETS[:-1]):
        cut = pl.when(pl.col("lead") < bucket.end).then(pl.lit(bucket.label)).otherwise(cut)
    return pl.DataFrame({"lead": lead}).select(cut.alias("lead_bucket")).to_series()


def _local_wall_time(series_ids: Iterable[str], time_zones: Mapping[str, str]) -> pl.Expr:
    by_zone: dict[str, list[str]] = {}
    for each in series_ids:
        by_zone.setdefault(time_zones[each], []).append(each)
    local = pl.lit(None, dtype=pl.Datetime("us"))
    for zone, ids in by_zone.items():
        wall = pl.col("valid_time").dt.convert_time_zone(zone).dt.replace_time_zone(None)
        local = pl.when(pl.col("series_id").is_in(ids)).then(wall).otherwise(local)
    return local


def _named(number: pl.Expr, names: Iterable[str]) -> pl.Expr:
    return number.cast(pl.Int64).replace_strict(dict(enumerate(names)), return_dtype=pl.String)
