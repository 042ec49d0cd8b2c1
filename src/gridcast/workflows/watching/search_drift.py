"""Whether the newest days are still those the champion was made for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.domain.series import Level
from gridcast.evaluation.daily_errors import daily_errors
from gridcast.evaluation.drift import WINDOW, is_firing
from gridcast.evaluation.drift_detectors import FEWEST_DAYS, Detector, Detectors, Score
from gridcast.evaluation.input_drift import population_score, range_score
from gridcast.evaluation.scored import MODEL
from gridcast.store.store import Store
from gridcast.workflows.judging.backtest import Backtest
from gridcast.workflows.judging.daily_forecasts import daily_points, day_starts
from gridcast.workflows.readings.processed import Processed
from gridcast.workflows.watching.drift_state import DRIFT_EVENT, DRIFT_SCORES, RECOVERED_EVENT, DriftState

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Learned:
    """The champion: its backtest, from which limits come, and up to when it was trained."""

    backtest: Backtest
    trained_until: datetime


def search_drift(
    store: Store, processed: Processed, *, learned: Learned, now: datetime, before: DriftState | None = None
) -> DriftState:
    """The newest score of every detector of the system and each zone.

    Residuals are those of forecasts of the newest local days issued a day before them, as far as the horizon reaches; a
    later one would have seen a change already. Where the store has none, or the backtest less than `FEWEST_DAYS` whole
    days, there are no such scores. Inputs are the loads and temperatures of the store and the clean history.
    """
    hierarchy = processed.hierarchy
    shown = [each.series_id for each in hierarchy.series if each.level in {Level.SYSTEM, Level.ZONE}]
    shown.sort(key=lambda each: each != hierarchy.root)
    zone = hierarchy.time_zones[hierarchy.root]
    newest = store.newest_reading()
    end = processed.observed_until if newest is None else newest + processed.interval
    starts = day_starts(end, days=WINDOW, time_zone=zone)
    with store.transaction() as connection:
        by_ahead = {
            ahead: daily_points(connection, shown, starts=starts, columns=QUANTILE_COLUMNS, ahead=ahead)
            for ahead in (_DAY, 0 * _DAY)
        }
    judged, points = _comparable(learned.backtest.points, by_ahead)
    past = _fired(before)
    rows = [
        (
            series_id,
            str(detector),
            *score,
            is_firing(score.score, limit=score.limit, before=(series_id, detector) in past),
        )
        for series_id in shown
        for detector, score in {
            **_residuals(points, series_id=series_id, judged=judged, time_zone=zone),
            **_inputs(store, processed, series_id=series_id, learned=learned, end=starts[-1], time_zone=zone),
        }.items()
    ]
    scores = pl.DataFrame(rows, schema=DRIFT_SCORES, orient="row")
    return DriftState(scores.filter(pl.col("limit").is_finite()), now, learned.backtest.model_version)


def tell_drift(store: Store, found: DriftState, *, before: DriftState | None) -> list[str]:
    """Keep an event for each detector that fires and did not before, and for each that no longer does; their texts."""
    fired, past = found.fired, _fired(before)
    told = []
    for kind, changed in ((DRIFT_EVENT, sorted(fired - past)), (RECOVERED_EVENT, sorted(past - fired))):
        for series_id, detector in changed:
            message = f"series {series_id!r}: {detector} {_of(found, series_id, detector)}"
            store.add_event(at=found.checked_at, kind=kind, message=message)
            told.append(f"{kind}: {message}")
    return told


def _fired(state: DriftState | None) -> frozenset[tuple[str, str]]:
    return frozenset() if state is None else state.fired


def _of(found: DriftState, series_id: str, detector: str) -> str:
    rows = found.scores.filter(series_id=series_id, detector=detector)
    if rows.is_empty():
        return f"is not known any more, model {found.model_version}."
    row = rows.row(0, named=True)
    return f"scores {row['score']:.3g}, its limit is {row['limit']:.3g}, model {found.model_version}."


def _comparable(judged: pl.DataFrame, by_ahead: Mapping[timedelta, pl.DataFrame]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Backtest and live forecasts of the second day ahead, which has not seen the first yet, else of the first."""
    lead = pl.col("valid_time") - pl.col("issue_time")
    for ahead, points in by_ahead.items():
        same = judged.filter(lead >= ahead, lead < ahead + _DAY, forecaster=MODEL)
        is_whole = 2 * points.height > by_ahead[0 * _DAY].height
        if not same.is_empty() and is_whole:
            return same, points
    return judged.clear(), by_ahead[0 * _DAY].clear()


def _residuals(points: pl.DataFrame, *, series_id: str, judged: pl.DataFrame, time_zone: str) -> dict[Detector, Score]:
    own, past = points.filter(series_id=series_id), judged.filter(series_id=series_id)
    if own.is_empty() or past.is_empty():
        return {}
    good = daily_errors(past.with_columns(load_mw="actual_mw"), time_zone=time_zone)
    if good.drop_nulls().height < FEWEST_DAYS:
        return {}
    return Detectors.learn(good).newest(daily_errors(own, time_zone=time_zone))


def _inputs(
    store: Store, processed: Processed, *, series_id: str, learned: Learned, end: datetime, time_zone: str
) -> dict[Detector, Score]:
    history = processed.readings(series_ids=[series_id])
    new = store.readings_as_of(end, start=processed.observed_until, end=end, series_id=series_id)
    columns = ["valid_time", "load_mw"]
    loads = pl.concat([history.select(columns), new.select(columns)]).rename({"load_mw": "value"})
    weather = processed.weather(end=end).group_by("valid_time").agg(value=pl.col("temperature_c").mean())
    found: dict[Detector, Score] = {}
    for detector, values in ((Detector.LOAD, loads), (Detector.TEMPERATURE, weather)):
        score = population_score(values, end=end, learned_until=learned.trained_until, time_zone=time_zone)
        if score is not None:
            found[detector] = score
    range_ = range_score(weather, end=end, learned_until=learned.trained_until)
    if range_ is not None:
        found[Detector.RANGE] = range_
    return found


def firing(found: DriftState) -> Sequence[str]:
    """The detectors that fire, in words."""
    return [f"{detector} of {series_id}" for series_id, detector in sorted(found.fired)]
