"""Green Button (ESPI) XML files: energy or power of meters by interval."""

import glob
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import polars as pl

from gridcast.domain.errors import GridcastError
from gridcast.domain.tables import READINGS, UTC_TIME
from gridcast.ingestion.connectors.green_button_channels import FORWARD, NET, REVERSE, channels_of
from gridcast.ingestion.connectors.green_button_feed import Feed, read_feed
from gridcast.ingestion.source import Batch, unreadable_position
from gridcast.ingestion.tabular.columns import DEAD_ROWS, Parsed

Flow = Literal["net", "forward", "reverse"]

_LONGEST_SECONDS: Final = 3600
_LATEST_SECOND: Final = 4_102_444_800
_BYTES_PER_MEGABYTE: Final = 1_000_000
_REJECTED: Final = {10: "quality_questionable", 12: "quality_projected"}
"""Codes of ESPI for readings that are not believed, and those that are forecasts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GreenButton:
    """A bounded source of readings: one batch per file that is new or has changed.

    `path`: a file, a folder (its .xml files and those below) or a pattern. `series`: usage point → series id, itself
    where it is not named. `flow`: net is forward − reverse, reverse is negative load. Questionable and projected
    readings are rejected.
    """

    path: str
    series: Mapping[str, str]
    flow: Flow
    max_megabytes: int

    def batches(self, position: str | None) -> Iterator[Batch]:
        """The files in order of their names; a damaged one is told of after all others."""
        read = {} if position is None else _read_position(position)
        damaged = []
        for file in _find(self.path):
            try:
                digest = self._digest(file)
                if read.get(str(file)) == digest:
                    continue
                parsed = parse_feed(read_feed(file), source=file.name, series=self.series, flow=self.flow)
            except GridcastError as error:
                damaged.append(str(error))
                continue
            read = {**read, str(file): digest}
            yield Batch.of(position=json.dumps(read), readings=parsed.rows, dead=parsed.dead)
        if damaged:
            raise GridcastError("\n".join(damaged))

    def done(self, position: str) -> None:
        """Nothing to acknowledge: the files stay."""

    def _digest(self, file: Path) -> str:
        size = file.stat().st_size
        if size > self.max_megabytes * _BYTES_PER_MEGABYTE:
            raise GridcastError(
                f"{file}: {size / _BYTES_PER_MEGABYTE:.0f} MB; expected at most {self.max_megabytes} MB. Split it, or "
                "raise max_megabytes of the source."
            )
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()


def parse_feed(feed: Feed, *, source: str, series: Mapping[str, str], flow: Flow) -> Parsed:
    """READINGS of a feed in its order, and DEAD_ROWS of every reading that is no load; see GreenButton.

    Raises:
        GridcastError: the feed holds no interval readings at all.
    """
    if feed.intervals.is_empty():
        raise GridcastError(f"{source}: no IntervalReading in it; expected a Green Button file with interval data.")
    judged = _judge(feed.intervals.join(channels_of(feed), on="block", how="left", maintain_order="left"))
    good = _wanted(judged.filter(pl.col("reason").is_null()), series=series, flow=flow)
    is_pair = (pl.col("direction") == FORWARD).any().over("series_id") & (pl.col("direction") == REVERSE).any().over(
        "series_id"
    )
    paired = good.with_columns(is_pair.alias("is_pair"))
    summed, unmatched = _sum_of_directions(paired.filter("is_pair"))
    rows = pl.concat([paired.filter(~pl.col("is_pair")).select(summed.columns), summed]).sort("row")
    dead = pl.concat([judged.filter(pl.col("reason").is_not_null()).select(unmatched.columns), unmatched]).sort("row")
    return Parsed(rows.select(READINGS.names()).cast(READINGS), _dead(dead, source=source))


def _judge(rows: pl.DataFrame) -> pl.DataFrame:
    """The same with `valid_time`, `available_at`, `load_mw` and the first `reason` why it is no reading, if any."""
    seconds = pl.col("seconds").cast(pl.Int64, strict=False)
    value = pl.col("value").cast(pl.Float64, strict=False)
    start = pl.col("start").cast(pl.Int64, strict=False)
    quality = pl.col("quality").cast(pl.Int64, strict=False)
    time = pl.from_epoch(start, time_unit="s").dt.replace_time_zone("UTC").cast(UTC_TIME)
    hours = pl.when("is_energy").then(seconds / 3600).otherwise(1.0)
    reason = (
        pl.when(pl.col("channel_reason").is_not_null())
        .then("channel_reason")
        .when(start.is_null() | ~start.is_between(0, _LATEST_SECOND))
        .then(pl.lit("unparsable_time"))
        .when(seconds.is_null())
        .then(pl.lit("missing_duration"))
        .when(~seconds.is_between(1, _LONGEST_SECONDS))
        .then(pl.lit("interval_too_long"))
        .when(pl.col("value").is_null())
        .then(pl.lit("missing_load"))
        .when(value.is_null())
        .then(pl.lit("load_not_a_number"))
        .when(~value.is_finite())
        .then(pl.lit("load_not_finite"))
        .when(quality.is_in(list(_REJECTED)))
        .then(quality.replace_strict(_REJECTED, default=None, return_dtype=pl.String))
    )
    return rows.with_columns(pl.coalesce("duration", "usual_duration").alias("seconds")).with_columns(
        reason.alias("reason"),
        time.alias("valid_time"),
        (time + pl.duration(seconds=seconds)).cast(UTC_TIME).alias("available_at"),
        (value * pl.col("mega_per_unit") / hours).alias("load_mw"),
    )


def _wanted(rows: pl.DataFrame, *, series: Mapping[str, str], flow: Flow) -> pl.DataFrame:
    """Readings of the directions that make up the flow, reverse ones negative, with their `series_id`."""
    direction = pl.col("direction")
    has_net = (direction == NET).any().over("usage_point")
    is_wanted = {
        FORWARD: direction == FORWARD,
        REVERSE: direction == REVERSE,
        NET: pl.when(has_net).then(direction == NET).otherwise(pl.lit(value=True)),
    }
    load = pl.when(direction == REVERSE).then(0.0 - pl.col("load_mw")).otherwise("load_mw")
    named = pl.col("usage_point").replace(dict(series))
    return rows.filter(is_wanted[flow]).with_columns(load.alias("load_mw"), named.alias("series_id"))


def _sum_of_directions(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Forward and reverse of one interval as one reading, and what has no counterpart or a later one in its place."""
    key = ["series_id", "valid_time", "seconds"]
    newest = rows.unique([*key, "direction"], keep="last", maintain_order=True)
    older = rows.join(newest, on="row", how="anti").with_columns(pl.lit("duplicate").alias("reason"))
    has_both = pl.len().over(key) == 2
    alone = newest.filter(~has_both).with_columns(pl.lit("missing_counterflow").alias("reason"))
    summed = (
        newest.filter(has_both)
        .group_by(key, maintain_order=True)
        .agg(pl.col("row").max(), pl.col("load_mw").sum(), pl.col("available_at").max())
        .select("row", *READINGS.names())
    )
    return summed, pl.concat([older, alone]).select("row", "usage_point", "start", "duration", "value", "reason")


def _dead(rows: pl.DataFrame, *, source: str) -> pl.DataFrame:
    written = [pl.col(name).fill_null("") for name in ("usage_point", "start", "duration", "value")]
    return rows.select(
        pl.lit(source).alias("source"), "row", "reason", pl.concat_str(written, separator=",").alias("raw")
    ).cast(DEAD_ROWS)


def _find(path: str) -> list[Path]:
    given = Path(path)
    if given.is_file():
        return [given]
    inside = given.rglob("*") if given.is_dir() else map(Path, glob.iglob(path, recursive=True))  # noqa: PTH207
    found = sorted(each for each in inside if each.is_file() and each.suffix.lower() == ".xml")
    if not found:
        raise GridcastError(
            f"{path}: no .xml file there; expected a Green Button file, a folder of them or a pattern. Name it in "
            "config/pipeline_config.yaml."
        )
    return found


def _read_position(position: str) -> dict[str, str]:
    try:
        read = json.loads(position)
    except ValueError:
        read = None
    if not isinstance(read, dict):
        raise unreadable_position(position, owner="Green Button")
    return read
