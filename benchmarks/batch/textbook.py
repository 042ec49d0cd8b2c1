"""The rules one would write by hand, once as polars expressions and once as DuckDB SQL, with the same result."""

from pathlib import Path

import duckdb
import polars as pl

from benchmarks.batch.made import INTERVAL, TIME_ZONE

_STUCK = 24
_LIKE_DAYS = 10
_SPIKE = 6.0
_SHORT = 8
"""Intervals of two hours: gaps up to this long are interpolated."""

_SQL = """
with latest as (
  select series_id, valid_time, load_mw from read_parquet($files)
  qualify row_number() over (partition by series_id, valid_time order by available_at desc) = 1
), grid as (
  select series_id, unnest(generate_series(min(valid_time), max(valid_time), interval 15 minute)) as valid_time
  from latest group by series_id
), laid as (
  select grid.series_id, grid.valid_time, load_mw,
    dayofweek(timezone($zone, grid.valid_time)) in (0, 6) as is_weekend,
    strftime(timezone($zone, grid.valid_time), '%H:%M') as clock
  from grid left join latest using (series_id, valid_time)
), runs as (
  select *, sum(is_new) over (partition by series_id order by valid_time) as run from (
    select *, (load_mw is distinct from lag(load_mw) over (partition by series_id order by valid_time))::int as is_new
    from laid
  )
), judged as (
  select *, count(load_mw) over (partition by series_id, run) as repeats, median(load_mw) over like_days as usual
  from runs window like_days as (
    partition by series_id, is_weekend, clock order by valid_time rows between $days preceding and 1 preceding
  )
), good as (
  select series_id, valid_time,
    case when load_mw < 0 or (repeats >= $stuck and load_mw != 0) or load_mw > $spike * usual then null else load_mw end
      as load_mw
  from judged
), around as (
  select *,
    last_value(load_mw ignore nulls) over past as before, first_value(load_mw ignore nulls) over future as after,
    last_value(case when load_mw is not null then valid_time end ignore nulls) over past as since,
    first_value(case when load_mw is not null then valid_time end ignore nulls) over future as until
  from good window past as (partition by series_id order by valid_time rows unbounded preceding),
    future as (partition by series_id order by valid_time rows between current row and unbounded following)
)
select series_id, valid_time, coalesce(load_mw, case when until - since <= to_minutes(15 * ($short + 1))
  then before + (after - before) * epoch(valid_time - since) / epoch(until - since) end) as load_mw
from around
"""


def textbook_duckdb(raw: Path, staging: Path) -> None:
    """Clean everything below `raw` in one query and sum it up in another."""
    parameters = {
        "files": [str(each) for each in sorted(raw.glob("readings/*/*.parquet"))],
        "zone": TIME_ZONE,
        "days": _LIKE_DAYS,
        "stuck": _STUCK,
        "spike": _SPIKE,
        "short": _SHORT,
    }
    with duckdb.connect() as database:
        database.execute("set memory_limit = '6GB'")
        database.execute(f"create table clean as {_SQL}", parameters)
        database.table("clean").write_parquet(str(staging / "children.parquet"), compression="zstd")
        parents = database.sql("select valid_time, sum(load_mw) as load_mw from clean group by all")
        parents.write_parquet(str(staging / "parents.parquet"))


def textbook_polars(raw: Path, staging: Path) -> None:
    """Clean everything below `raw` in one lazy query and sum it up."""
    latest = (
        pl.scan_parquet(sorted(raw.glob("readings/*/*.parquet")), hive_partitioning=False)
        .sort("series_id", "valid_time", "available_at")
        .unique(["series_id", "valid_time"], keep="last", maintain_order=True)
        .collect()
    )
    local = pl.col("valid_time").dt.convert_time_zone(TIME_ZONE)
    load, before, after = pl.col("load_mw"), pl.col("before"), pl.col("after")
    clean = (
        latest.select("series_id", "valid_time", "load_mw")
        .upsample("valid_time", every=INTERVAL, group_by="series_id", maintain_order=True)
        .with_columns(pl.col("series_id").forward_fill())
        .with_columns(
            is_weekend=local.dt.weekday() > 5,
            clock=local.dt.hour().cast(pl.Int16) * 60 + local.dt.minute(),
            run=load.ne_missing(load.shift()).cum_sum().over("series_id"),
        )
        .with_columns(
            repeats=load.count().over("series_id", "run"),
            usual=load.shift().rolling_median(_LIKE_DAYS, min_samples=1).over("series_id", "is_weekend", "clock"),
        )
        .with_columns(
            pl.when((load < 0) | ((pl.col("repeats") >= _STUCK) & (load != 0)) | (load > _SPIKE * pl.col("usual")))
            .then(None)
            .otherwise(load)
            .alias("load_mw")
        )
        .with_columns(at=pl.when(load.is_not_null()).then("valid_time"))
        .with_columns(
            before=load.forward_fill().over("series_id"),
            after=load.backward_fill().over("series_id"),
            since=pl.col("at").forward_fill().over("series_id"),
            until=pl.col("at").backward_fill().over("series_id"),
        )
        .with_columns(
            share=(pl.col("valid_time") - pl.col("since")) / (pl.col("until") - pl.col("since")),
            is_short=pl.col("until") - pl.col("since") <= (_SHORT + 1) * INTERVAL,
        )
        .select(
            "series_id",
            "valid_time",
            load_mw=pl.coalesce(load, pl.when("is_short").then(before + (after - before) * pl.col("share"))),
        )
    )
    clean.write_parquet(staging / "children.parquet", compression="zstd")
    clean.group_by("valid_time").agg(load.sum()).write_parquet(staging / "parents.parquet")
