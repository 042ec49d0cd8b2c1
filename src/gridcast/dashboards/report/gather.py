"""Everything the report shows, read from one installation's files."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import polars as pl

from gridcast.dashboards.report.comparison import comparison_frame, other_scores
from gridcast.dashboards.report.content import ReportContent, Targets
from gridcast.dashboards.report.model_card import model_card
from gridcast.domain.dimensions import Dimension
from gridcast.domain.errors import GridcastError
from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.domain.series import Hierarchy, Level
from gridcast.domain.tables import Layer, earliest, latest
from gridcast.evaluation.calibration import calibration
from gridcast.evaluation.scorecard import broken_down, scorecard
from gridcast.models.tensorflow.serving import Forecaster
from gridcast.quality.summary import quality_summary, rule_totals, worst_offenders
from gridcast.registry.catalogue import RegisteredModel
from gridcast.store.store import Store
from gridcast.workflows.forecasts.explain_forecast import explain_against
from gridcast.workflows.forecasts.explained import Explained
from gridcast.workflows.forecasts.known import known_at
from gridcast.workflows.forecasts.refresh import refresh_at
from gridcast.workflows.forecasts.score_forecasts import score_forecasts
from gridcast.workflows.judging.backtest import Backtest
from gridcast.workflows.judging.kept_scores import KeptScores
from gridcast.workflows.readings.processed import Processed

REPLAY = timedelta(days=28)
"""Issued forecasts that are scored."""
EXPLAINED_AGAINST = 7
"""How many days earlier the forecast lies that the newest is compared with."""
FAN_PAST = timedelta(days=3)
"""Actuals shown before the issue time of the fan charts."""

NOTHING_ELSE = KeptScores()


def gather(
    processed: Processed,
    *,
    store: Store,
    backtest: Backtest | None,
    model: RegisteredModel | None,
    title: str,
    targets: Targets,
    generated_at: datetime,
    reproduce: Sequence[str],
    kept: KeptScores = NOTHING_ELSE,
    peaks: pl.DataFrame | None = None,
    alarm_threshold: float = 0.5,
) -> ReportContent:
    """The report's content; what was not run yet is left out."""
    fan = _fan(store, processed)
    issue = fan["issue_time"].max() if fan.height else None
    readings = processed.readings(start=issue - FAN_PAST if isinstance(issue, datetime) else processed.observed_until)
    replay, note = _replay(store, processed)
    explanation, why_not = _explanation(fan, processed, model=model)
    points = pl.DataFrame() if backtest is None else backtest.points
    scores = pl.DataFrame() if backtest is None else backtest.scores
    counts = processed.quality_counts()
    measured = counts.filter(pl.col("series_id").is_in(list(processed.hierarchy.leaves)))
    return ReportContent(
        title=title,
        generated_at=generated_at,
        system_id=processed.hierarchy.root,
        time_zones=_highest_first(processed.hierarchy),
        headline={} if backtest is None else backtest.headline,
        targets=targets,
        measured="" if backtest is None else _measured(backtest),
        fan=fan,
        actuals=readings.select("series_id", "valid_time", "load_mw", "quality"),
        accuracy_by_lead=broken_down(scores, by=Dimension.LEAD_BUCKET) if scores.height else scores,
        accuracy_by_series=broken_down(scores, by=Dimension.SERIES) if scores.height else scores,
        breakdown=scores,
        comparison=comparison_frame(kept.comparisons),
        others=other_scores(kept.others),
        calibration=calibration(points) if points.height else points,
        peaks=pl.DataFrame() if peaks is None else peaks,
        alarm_threshold=alarm_threshold,
        data_quality=quality_summary(counts),
        quality_worst=worst_offenders(counts),
        quality_rules=rule_totals(measured),
        replay=replay,
        replay_note=note,
        explanation=explanation,
        explanation_note=why_not,
        model_card={} if model is None else model_card(model, judged=backtest),
        reproduce=reproduce,
    )


def _highest_first(hierarchy: Hierarchy) -> dict[str, str]:
    """The time zone of every series, the levels from the system down."""
    levels = list(Level)
    ordered = sorted(hierarchy.series, key=lambda each: -levels.index(each.level))
    return {each.series_id: each.time_zone for each in ordered}


def _fan(store: Store, processed: Processed) -> pl.DataFrame:
    """The newest forecast whose whole horizon has passed, so that actuals can be seen beside it; else the newest."""
    newest = store.newest_issue_time()
    if newest is None:
        return pl.DataFrame()
    recent = store.forecasts(start=newest - timedelta(days=8), end=newest + timedelta(microseconds=1)).filter(
        layer=Layer.MODEL.value
    )
    ends = recent.group_by("issue_time").agg(pl.col("valid_time").max())
    passed = ends.filter(pl.col("valid_time") < processed.observed_until)
    chosen = (passed if passed.height else ends)["issue_time"].max()
    return recent.filter(pl.col("issue_time") == chosen).select(
        "series_id", "issue_time", "valid_time", *QUANTILE_COLUMNS
    )


def _explanation(fan: pl.DataFrame, processed: Processed, *, model: RegisteredModel | None) -> tuple[pl.DataFrame, str]:
    """What moved the system's forecast at the issue time of the fan (`EXPLANATIONS`), or nothing and the reason.

    It is the forecast of the model in charge, whoever issued the fan.
    """
    if model is None or fan.is_empty():
        return pl.DataFrame(), ""
    explained = Explained((processed.hierarchy.root,), fan["issue_time"][0], model.version)
    try:
        forecaster = Forecaster.load(model.directory)
        known = known_at(processed, explained.issue_time)
        refresh = refresh_at(forecaster, known, issue_time=explained.issue_time)
        return explain_against(forecaster, processed, explained, days=EXPLAINED_AGAINST, refresh=refresh), ""
    except GridcastError as error:
        return pl.DataFrame(), str(error)


def _replay(store: Store, processed: Processed) -> tuple[pl.DataFrame, str]:
    points = score_forecasts(store, processed, last=REPLAY)
    if points.is_empty():
        return points, ""
    times = points["issue_time"]
    first, last = earliest(times), latest(times)
    note = (
        f"{times.n_unique()} forecasts of every series, issued {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC "
        "as readings arrived, scored where a measurement has come in."
    )
    return scorecard(points, by=["lead_bucket"]), note


def _measured(backtest: Backtest) -> str:
    first, last = backtest.origins[0], backtest.origins[-1]
    return (
        f"Model {backtest.model_version}, {len(backtest.origins)} daily forecasts issued {first:%Y-%m-%d} to "
        f"{last:%Y-%m-%d}, each over the full horizon, with {backtest.weather.in_words}; estimated loads are "
        "not scored."
    )
