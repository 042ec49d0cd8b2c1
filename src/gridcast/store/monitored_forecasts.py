"""What monitoring reads of forecasts and their scores: by keys, a few milliseconds."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import polars as pl
import sqlalchemy as sa

from gridcast.domain.tables import UTC_TIME, Layer
from gridcast.store import frames, schema
from gridcast.store.each_series import each_in
from gridcast.store.moments import microseconds

_RUNS = schema.RUNS.c
_FORECASTS = schema.FORECASTS
_MICROSECOND = timedelta(microseconds=1)
SCORED: Final = (
    "mae_mw", "bias_mw", "pinball_mw", "coverage_80", "coverage_90", "naive_mae_mw", "naive_pinball_mw",
)  # fmt: skip
"""Measures of a score."""
SKILLS: Final = {"skill_mae_vs_naive": "mae_mw", "skill_pinball_vs_naive": "pinball_mw"}
"""Of which measure each skill is: one less the ratio to the weekly naive's, where both are known."""


def issue_times(connection: sa.Connection, series_id: str, *, start: datetime, end: datetime) -> list[datetime]:
    """When the model's forecasts of a series were issued in start ≤ time < end, ascending."""
    query = sa.select(_RUNS.issue_time).where(
        _RUNS.series_id == series_id,
        _RUNS.layer == Layer.MODEL.value,
        _RUNS.issue_time >= microseconds(start),
        _RUNS.issue_time < microseconds(end),
    )
    return frames.read_few(connection, schema.RUNS, query.order_by(_RUNS.issue_time))["issue_time"].to_list()


def newest_two(connection: sa.Connection, series_id: str) -> list[datetime]:
    """When the two newest forecasts of a series were issued, the newest first."""
    query = sa.select(_RUNS.issue_time).where(_RUNS.series_id == series_id, _RUNS.layer == Layer.MODEL.value)
    query = query.order_by(_RUNS.issue_time.desc()).limit(2)
    return frames.read_few(connection, schema.RUNS, query)["issue_time"].to_list()


def issued_at(
    connection: sa.Connection,
    series_ids: Sequence[str],
    times: Sequence[datetime],
    *,
    columns: Sequence[str],
    lead_end: timedelta | None = None,
) -> pl.DataFrame:
    """`series_id`, `issue_time`, `valid_time` and columns of FORECASTS of the model, of some series and issue times.

    Of every lead, or those below `lead_end`.
    """
    forecasts = schema.FORECASTS.c
    chosen = [forecasts[name] for name in ("series_id", "issue_time", "valid_time", *columns)]
    query = sa.select(*chosen).where(
        forecasts.series_id.in_(list(series_ids)),
        forecasts.issue_time.in_([microseconds(each) for each in times]),
        forecasts.layer == Layer.MODEL.value,
    )
    if lead_end is not None:
        query = query.where(forecasts.valid_time < forecasts.issue_time + lead_end // _MICROSECOND)
    return frames.read_few(connection, schema.FORECASTS, query)


def jumps(
    connection: sa.Connection, series_ids: Sequence[str], *, newest: datetime, before: datetime
) -> dict[str, float]:
    """Mean change of the median between two issues of each series, over the mean width of the earlier 80 % band."""
    new, old = schema.FORECASTS.alias(), schema.FORECASTS.alias()
    is_same = [new.c[name] == old.c[name] for name in ("series_id", "valid_time", "layer")]
    change, width = sa.func.avg(sa.func.abs(new.c.p50 - old.c.p50)), sa.func.avg(old.c.p90 - old.c.p10)
    query = sa.select(new.c.series_id, change / sa.func.nullif(width, 0.0)).select_from(
        new.join(old, sa.and_(*is_same))
    )
    query = query.where(
        new.c.series_id.in_(list(series_ids)),
        new.c.layer == Layer.MODEL.value,
        new.c.issue_time == microseconds(newest),
        old.c.issue_time == microseconds(before),
    )
    found = connection.execute(query.group_by(new.c.series_id))
    return {str(series_id): float(jump) for series_id, jump in found if jump is not None}


def forecast_rows(connection: sa.Connection) -> pl.DataFrame:
    """The newest issue of each layer: `layer`, `issue_time`, `rows`, and of its rows the share that is `degraded`."""
    runs = schema.LATEST_RUNS.c
    newest = connection.execute(sa.select(runs.layer, sa.func.max(runs.issue_time)).group_by(runs.layer)).all()
    rows: list[tuple[Any, ...]] = []
    is_degraded = sa.case((_FORECASTS.c.degraded_because == "", 0.0), else_=1.0)
    for layer, time in newest:
        of_it = _FORECASTS.c.issue_time == time, _FORECASTS.c.layer == layer
        counts = connection.execute(sa.select(sa.func.count(), sa.func.avg(is_degraded)).where(*of_it)).one()
        rows.append((layer, time, *counts))
    types = {"layer": pl.String, "issue_time": pl.Int64, "rows": pl.Int64, "degraded": pl.Float64}
    frame = pl.DataFrame(rows, schema=types, orient="row")
    return frame.with_columns(pl.from_epoch("issue_time", time_unit="us").cast(UTC_TIME))


def live_scores(
    connection: sa.Connection, series_ids: Sequence[str] | None, *, start: datetime, end: datetime
) -> pl.DataFrame:
    """Means over the scored intervals of forecasts issued in start ≤ time < end: a row per series, layer and bucket.

    `series_ids` None: of every series.

    Returns:
        `series_id`, `layer`, `lead_bucket`, `n`, the measures of the table of scores, and `SKILLS`.
    """
    scores = schema.SCORES.c
    keys = [scores[name] for name in ("series_id", "layer", "lead_bucket")]
    is_within = scores.issue_time >= microseconds(start), scores.issue_time < microseconds(end), scores.n > 0
    means = [
        (sa.func.sum(scores[each] * scores.n) / sa.func.sum(sa.case((scores[each].is_not(None), scores.n)))).label(each)
        for each in SCORED
    ]
    skills = [_skill(measure).label(name) for name, measure in SKILLS.items()]
    query = sa.select(*keys, sa.func.sum(scores.n).label("n"), *means, *skills).where(*is_within)
    if series_ids is None:
        query = query.select_from(each_in(schema.SCORES))
    else:
        query = query.where(scores.series_id.in_(list(series_ids)))
    rows = [tuple(row) for row in connection.execute(query.group_by(*keys).order_by(*keys))]
    types = {each.name: pl.String for each in keys} | {"n": pl.Int64} | dict.fromkeys((*SCORED, *SKILLS), pl.Float64)
    return pl.DataFrame(rows, schema=types, orient="row")


def beside_champion(
    connection: sa.Connection, series_ids: Sequence[str], *, start: datetime, end: datetime
) -> pl.DataFrame:
    """The model on trial and the one in charge at the same points, of forecasts issued in start ≤ time < end.

    Nothing where the newest forecast has no model on trial beside it. Scores of other models do not count.

    Returns:
        `series_id`, `n`, `first` and `last` (issue times), `shadow_mw` and `model_mw` (mean pinball).
    """
    trial, champion = schema.LATEST_RUNS.alias(), schema.LATEST_RUNS.alias()
    shadow, model = schema.SCORES.alias(), schema.SCORES.alias()
    keys = ("series_id", "issue_time", "lead_bucket", "n")
    is_same = sa.and_(*(shadow.c[name] == model.c[name] for name in keys))
    is_on_trial = sa.and_(
        trial.c.series_id == shadow.c.series_id,
        trial.c.layer == Layer.SHADOW.value,
        trial.c.model_version == shadow.c.model_version,
    )
    is_in_charge = sa.and_(
        champion.c.series_id == model.c.series_id,
        champion.c.layer == Layer.MODEL.value,
        champion.c.model_version == model.c.model_version,
        champion.c.issue_time == trial.c.issue_time,
    )
    n = sa.func.sum(shadow.c.n)
    means = [sa.func.sum(each.c.pinball_mw * each.c.n) / n for each in (shadow, model)]
    query = (
        sa.select(shadow.c.series_id, n, sa.func.min(shadow.c.issue_time), sa.func.max(shadow.c.issue_time), *means)
        .select_from(shadow.join(model, is_same).join(trial, is_on_trial).join(champion, is_in_charge))
        .where(
            shadow.c.series_id.in_(list(series_ids)),
            shadow.c.layer == Layer.SHADOW.value,
            model.c.layer == Layer.MODEL.value,
            shadow.c.issue_time >= microseconds(start),
            shadow.c.issue_time < microseconds(end),
            shadow.c.n > 0,
        )
        .group_by(shadow.c.series_id)
        .order_by(shadow.c.series_id)
    )
    names = ("series_id", "n", "first", "last", "shadow_mw", "model_mw")
    kinds = (pl.String, pl.Int64, pl.Int64, pl.Int64, pl.Float64, pl.Float64)
    rows = [tuple(row) for row in connection.execute(query)]
    frame = pl.DataFrame(rows, schema=dict(zip(names, kinds, strict=True)), orient="row")
    return frame.with_columns(
        pl.from_epoch("first", time_unit="us").cast(UTC_TIME), pl.from_epoch("last", time_unit="us").cast(UTC_TIME)
    )


def _skill(measure: str) -> sa.ColumnElement[Any]:
    scores = schema.SCORES.c
    ours, naive = scores[measure] * scores.n, scores[f"naive_{measure}"] * scores.n
    is_known = ours.is_not(None) & naive.is_not(None)
    sums = [sa.func.sum(sa.case((is_known, each))) for each in (ours, naive)]
    return 1.0 - sums[0] / sa.func.nullif(sums[1], 0.0)
