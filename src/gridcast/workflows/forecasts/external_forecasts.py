"""Forecasts of somebody else, such as a transmission system operator's: kept beside ours and scored like them."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import polars as pl

from gridcast.domain.errors import GridcastError
from gridcast.domain.lead_time import LEAD_BUCKETS
from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.domain.tables import FORECASTS, Layer
from gridcast.store.store import Store
from gridcast.workflows.forecasts.score_forecasts import keep_scores
from gridcast.workflows.readings.processed import Processed

_KEYS: Final = ("series_id", "issue_time", "valid_time")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FURTHEST: Final = LEAD_BUCKETS[-1].end


class TakenOver(NamedTuple):
    """Rows that are kept, how many forecasts of a series they are, how many have been scored, and rows left out."""

    rows: int
    issues: int
    scored: int
    left_out: int


def take_over(
    store: Store, processed: Processed, forecast: pl.DataFrame, *, source: str, dry_run: bool = False
) -> TakenOver:
    """Keep somebody's forecast as layer `external`, its `model_version` the source, and score what has its actuals.

    Loads of shorter intervals become means. Rows that were issued after their interval, or farther ahead than scores
    reach, are left out. What is taken over again replaces what was.

    Args:
        store: where forecasts are kept.
        processed: the clean history: which series there are, and their interval.
        forecast: `READINGS` whose `available_at` is when each was issued.
        source: who says so.
        dry_run: only count.

    Raises:
        GridcastError: a series is not known, or the intervals are longer than the readings'.
    """
    _require_series(forecast["series_id"].unique().sort().to_list(), known=processed.hierarchy.ids)
    rows = forecast.rename({"available_at": "issue_time", "load_mw": "p50"})
    lead = pl.col("valid_time") - pl.col("issue_time")
    ahead = rows.filter(lead >= timedelta(0), lead < _FURTHEST)
    on_grid = _means(ahead, interval=processed.interval, start=processed.observed_until)
    issued = on_grid.with_columns(
        *(pl.lit(None, pl.Float64).alias(column) for column in QUANTILE_COLUMNS if column != "p50"),
        layer=pl.lit(Layer.EXTERNAL.value),
        model_version=pl.lit(source),
        degraded_because=pl.lit(""),
    ).select(FORECASTS.names())
    scored = 0
    if not dry_run and not issued.is_empty():
        store.save_forecasts(issued)
        points = keep_scores(store, processed, issued)
        scored = 0 if points.is_empty() else points.select("series_id", "issue_time").n_unique()
    issues = issued.select("series_id", "issue_time").n_unique()
    return TakenOver(issued.height, issues, scored, rows.height - ahead.height)


def _means(rows: pl.DataFrame, *, interval: timedelta, start: datetime) -> pl.DataFrame:
    """Means over the intervals, of which one begins at `start`, that rows cover wholly."""
    ordered = rows.unique(_KEYS, keep="last", maintain_order=True).sort(_KEYS)
    step = ordered.select(pl.col("valid_time").diff().over("series_id", "issue_time").min()).item()
    if step is None or step == interval:
        step = interval
    if step > interval or interval % step:
        raise GridcastError(
            f"the forecast has a row every {step}; expected one every {interval}, the interval of the readings, or "
            "several that add up to it."
        )
    shift = (start - _EPOCH) % interval
    whole = (pl.col("valid_time") - shift).dt.truncate(interval) + shift
    means = ordered.group_by("series_id", "issue_time", whole, maintain_order=True).agg(
        pl.col("p50").mean(), n=pl.len()
    )
    return means.filter(pl.col("n") == interval // step).drop("n")


def _require_series(found: Collection[str], *, known: Collection[str]) -> None:
    strange = [each for each in found if each not in known]
    if strange:
        raise GridcastError(
            f"series {strange[0]!r} is not known; expected ids of the hierarchy, such as {next(iter(known))!r}. "
            "Name the series as gridcast does."
        )
