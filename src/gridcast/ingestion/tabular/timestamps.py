"""Timestamps as people write them, turned into UTC."""

from typing import Final

import polars as pl

from gridcast.domain.errors import GridcastError
from gridcast.domain.tables import UTC_TIME
from gridcast.ingestion.tabular.formats import TextFormat

UNPARSABLE: Final = "unparsable_time"
NONEXISTENT: Final = "nonexistent_local_time"
WITHOUT_OFFSET: Final = "time_without_offset"

FURTHEST: Final = 9e15
"""Microseconds from 1970 (285 years) within which a time is taken for one."""

_PER_MICROSECOND: Final = {"ms": 1e-3, "us": 1.0, "ns": 1e3}
_DAYS_PER_MICROSECOND: Final = 1 / 86_400e6
_ISO: Final = (
    r"^(?P<date>\d{4}-\d{2}-\d{2})(?:[T ](?P<time>\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?))?"
    r" ?(?P<sign>[Zz+-])?(?P<hours>\d{2})?:?(?P<minutes>\d{2})?$"
)
_NAIVE: Final = pl.Datetime("us")
_LARGEST_OFFSET: Final = 16 * 60
"""Minutes; no clock on earth was ever further from UTC."""


class NoTimeZoneError(GridcastError):
    """Not one time of a column carries an offset, and no time zone is set: a file is refused, messages are dead."""


def to_utc(times: pl.Series, *, series: pl.Series | None, text: TextFormat, where: str) -> pl.DataFrame:
    """Columns `time` (UTC, null where `reason` says why) and `reason`, in the rows' order.

    A local hour that happens twice: of each of the `series`, its first row is the earlier instant, the next the later,
    and so on in turn (the other way round where a series runs from new to old); without `series`, the later. A local
    hour that does not happen has no time.

    Raises:
        NoTimeZoneError: no timestamp carries an offset and `text.time_zone` is not set.
        GridcastError: the column holds no times.
    """
    stamps = _stamps(times, text=text, where=where)
    is_local = stamps["stamp"].is_not_null() & stamps["offset"].is_null()
    if text.time_zone is None and is_local.any() and stamps["offset"].is_null().all():
        raise NoTimeZoneError(
            f"{where}: {times.filter(is_local)[0]} has no UTC offset and no time zone is set; expected times such as "
            "'2024-01-31T13:00:00+01:00', or time_zone (for example 'Europe/London') in the file format."
        )
    local = _localised(stamps["stamp"].set(~is_local, None), series=series, time_zone=text.time_zone)
    absolute = (stamps["stamp"] - stamps["offset"]).dt.replace_time_zone("UTC")
    time = absolute.zip_with(stamps["offset"].is_not_null(), local)
    lost = NONEXISTENT if text.time_zone else WITHOUT_OFFSET
    reason = (
        pl.when(pl.col("stamp").is_null()).then(pl.lit(UNPARSABLE)).when(pl.col("time").is_null()).then(pl.lit(lost))
    )
    judged = stamps.with_columns(time.alias("time"))
    return judged.select("time", reason.otherwise(None).alias("reason"))


def within_reach(times: pl.Series, *, furthest: float = FURTHEST) -> pl.Series:
    """The same timestamps or dates, null where they are more than `furthest` microseconds from 1970."""
    kind = times.dtype
    per_microsecond = _PER_MICROSECOND[kind.time_unit] if isinstance(kind, pl.Datetime) else _DAYS_PER_MICROSECOND
    is_near = (times.to_physical().cast(pl.Float64) / per_microsecond).is_between(-furthest, furthest)
    return times.set(~is_near, None)


def _stamps(times: pl.Series, *, text: TextFormat, where: str) -> pl.DataFrame:
    """`stamp`: the time as written, without a zone; `offset`: from UTC, null where none is written."""
    kind = times.dtype
    if isinstance(kind, pl.Datetime) and kind.time_zone is not None:
        stamp = within_reach(times).dt.convert_time_zone("UTC").dt.replace_time_zone(None).cast(_NAIVE)
        return pl.DataFrame({"stamp": stamp, "offset": pl.zeros(len(stamp), eager=True).cast(pl.Duration("us"))})
    if isinstance(kind, pl.Datetime | pl.Date):
        return pl.DataFrame(
            {
                "stamp": within_reach(times).cast(_NAIVE),
                "offset": pl.repeat(None, len(times), dtype=pl.Duration("us"), eager=True),
            }
        )
    if kind != pl.String:
        raise GridcastError(f"{where}: holds {kind}; expected timestamps, or text such as '2024-01-31T13:00:00+01:00'.")
    each = times.to_frame("text")
    once = each.unique()
    written = once["text"].str.strip_chars()
    stamps = _by_pattern(written, pattern=text.time_format) if text.time_format else _iso(written)
    found = each.join(once.hstack(stamps), on="text", how="left", maintain_order="left", nulls_equal=True)
    return found.select("stamp", "offset")


def _iso(written: pl.Series) -> pl.DataFrame:
    parts = written.to_frame("text").select(pl.col("text").str.extract_groups(_ISO)).unnest("text")
    clock = pl.col("time").fill_null("00:00")
    seconds = pl.when(clock.str.len_bytes() == 5).then(clock + ":00").otherwise(clock)
    stamp = (pl.col("date") + "T" + seconds).str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False)
    minutes = 60 * pl.col("hours").cast(pl.Int64) + pl.col("minutes").cast(pl.Int64).fill_null(0)
    is_zulu = pl.col("sign").str.to_lowercase() == "z"
    signed = pl.when(is_zulu).then(0).when(pl.col("sign") == "-").then(-minutes).otherwise(minutes)
    offset = pl.when(pl.col("sign").is_not_null()).then(pl.duration(minutes=signed, time_unit="us"))
    is_odd = (is_zulu & pl.col("hours").is_not_null()) | (pl.col("sign").is_null() & pl.col("hours").is_not_null())
    is_bare = ~is_zulu & pl.col("hours").is_null()
    is_nowhere = (minutes > _LARGEST_OFFSET) | (pl.col("minutes").cast(pl.Int64) > 59)
    unusable = pl.any_horizontal(each.fill_null(value=False) for each in (is_odd, is_bare, is_nowhere))
    return parts.select(pl.when(~unusable).then(stamp).alias("stamp"), offset.alias("offset"))


def _by_pattern(written: pl.Series, *, pattern: str) -> pl.DataFrame:
    parsed = written.str.to_datetime(pattern, time_unit="us", strict=False)
    has_offset = isinstance(parsed.dtype, pl.Datetime) and parsed.dtype.time_zone is not None
    stamp = parsed.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if has_offset else parsed
    zero = pl.when(pl.lit(has_offset)).then(pl.duration(minutes=0, time_unit="us"))
    return stamp.to_frame("stamp").with_columns(zero.alias("offset"))


def _localised(stamps: pl.Series, *, series: pl.Series | None, time_zone: str | None) -> pl.Series:
    if time_zone is None:
        return pl.repeat(None, len(stamps), dtype=UTC_TIME, eager=True)
    later = stamps.dt.replace_time_zone(time_zone, ambiguous="latest", non_existent="null")
    earlier = stamps.dt.replace_time_zone(time_zone, ambiguous="earliest", non_existent="null")
    is_twice = (earlier != later).fill_null(value=False)
    if series is not None and is_twice.any():
        rows = pl.DataFrame({"series": series, "stamp": stamps, "is_twice": is_twice})
        step = pl.col("stamp").diff()
        is_newest_first = ((step < pl.duration()).sum() > (step > pl.duration()).sum()).over("series")
        is_odd = pl.int_range(pl.len()).over("series", "stamp") % 2 == 0
        turn = rows.select(is_odd != is_newest_first).to_series()
        later = earlier.zip_with(is_twice & turn, later)
    return later.dt.convert_time_zone("UTC")
