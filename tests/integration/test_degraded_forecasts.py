"""Forecasts that have to do without something, measured on half a year of the sample that no model has seen."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest

from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.domain.series import zones_to_system
from gridcast.evaluation.scored import scored_points, with_losses
from gridcast.features.panel import Panel, panel_from_frames
from gridcast.features.windows import DAYS_OF_HISTORY
from gridcast.ingestion.sample import INTERVAL, TIME_ZONE, read_sample
from gridcast.models.tensorflow.export import save
from gridcast.models.tensorflow.serving import Forecaster
from gridcast.models.tensorflow.spec import NetworkSize, NetworkSpec, TrainSpec
from gridcast.models.tensorflow.train import fit
from gridcast.workflows.forecasts.baselines import fit_naive, naive_forecast
from gridcast.workflows.forecasts.issue_forecast import forecast_frame, issue_forecast
from gridcast.workflows.forecasts.known import Known

LEARNED = ("zone_01", "zone_02", "zone_06", "zone_10", "zone_15", "zone_18")
NEW = ("zone_12", "zone_17")
TREE = zones_to_system((*LEARNED, *NEW), time_zone=TIME_ZONE)
LEARNED_FROM = datetime(2006, 7, 1, 5, tzinfo=UTC)
UNSEEN_FROM = datetime(2008, 1, 1, 5, tzinfo=UTC)
ISSUE_TIMES = [UNSEEN_FROM + (1 + number) * timedelta(days=7, hours=5) for number in range(24)]
LEADS = 48
DAY = timedelta(days=1)
NETWORK = NetworkSpec(LEADS, INTERVAL, NetworkSize(width=64, blocks=1, encoder_width=32))
TRAINING = TrainSpec(members=1, epochs=3, windows_per_epoch=8192)


def hold_back_nothing(known: Known, issue_time: datetime) -> Known:
    return known


def hold_back_weather(known: Known, issue_time: datetime) -> Known:
    return replace(known, weather=known.weather.clear())


def hold_back_weather_beyond_a_day(known: Known, issue_time: datetime) -> Known:
    return replace(known, weather=known.weather.filter(pl.col("valid_time") < issue_time + DAY))


def hold_back_last_day(known: Known, issue_time: datetime) -> Known:
    return replace(known, readings=known.readings.filter(pl.col("valid_time") < issue_time - DAY))


def hold_back_all_but_14_days(known: Known, issue_time: datetime) -> Known:
    return replace(known, readings=known.readings.filter(pl.col("valid_time") >= issue_time - 14 * DAY))


@dataclass(frozen=True, slots=True)
class Made:
    """Forecasters and the history they are asked about."""

    history: Known
    knows_learned: Forecaster
    knows_all: Forecaster
    naive: pl.DataFrame

    def forecasts(self, hold_back: Callable[[Known, datetime], Known], *, forecaster: Forecaster) -> pl.DataFrame:
        """Of every series at every issue time."""
        parts = []
        for issue_time in ISSUE_TIMES:
            recent = pl.col("valid_time") >= issue_time - DAYS_OF_HISTORY * DAY
            known = hold_back(replace(self.history, readings=self.history.readings.filter(recent)), issue_time)
            parts.append(issue_forecast(forecaster, known, issue_time=issue_time, model_version="1"))
        return pl.concat(parts)

    def score(self, forecasts: pl.DataFrame, *, series_ids: tuple[str, ...] = LEARNED) -> "Score":
        """Of these series, loads as a share of the mean of each, so that all count alike."""
        loads = self.history.readings.select("series_id", "valid_time", pl.col("load_mw").alias("actual_mw"))
        rows = forecasts.filter(pl.col("series_id").is_in(series_ids)).join(loads, on=["series_id", "valid_time"])
        size = pl.col("actual_mw").mean().over("series_id")
        rows = rows.with_columns(pl.col("actual_mw", *QUANTILE_COLUMNS) / size, forecaster=pl.lit("model"))
        points = with_losses(scored_points(rows))
        is_inside = pl.col("actual_mw").is_between("p10", "p90")
        return Score(
            *points.select(
                pl.col("pinball").mean(),
                pl.col("error").abs().mean(),
                is_inside.mean(),
                (pl.col("p90") - pl.col("p10")).mean(),
            ).row(0)
        )


class Score(NamedTuple):
    """Loads are shares of the mean load of their series."""

    pinball: float
    error: float
    coverage_80: float
    width_80: float


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """One model that has learned from some zones, and one that has learned from the new ones too."""
    sample = read_sample()
    total = sample.readings.group_by("valid_time").agg(pl.col("load_mw").sum(), pl.col("available_at").max())
    system = total.with_columns(pl.lit("system").alias("series_id")).select(sample.readings.columns)
    is_used = pl.col("series_id").is_in(TREE.ids) & (pl.col("valid_time") >= LEARNED_FROM)
    readings = pl.concat([sample.readings, system]).filter(is_used)
    history = Known(readings, sample.weather.filter(pl.col("valid_time") >= LEARNED_FROM), sample.holidays, TREE)
    folder, everything = tmp_path_factory.mktemp("models"), panel_of(history, series_ids=TREE.ids)
    return Made(
        history,
        train(panel_of(history, series_ids=(*LEARNED, "system")), folder / "learned"),
        train(everything, folder / "all"),
        naive_frame(everything),
    )


def panel_of(history: Known, *, series_ids: tuple[str, ...]) -> Panel:
    return panel_from_frames(
        history.readings,
        weather=history.weather,
        holidays=history.holidays,
        time_zones=TREE.time_zones,
        interval=INTERVAL,
        series_ids=series_ids,
    )


def train(panel: Panel, folder: Path) -> Forecaster:
    trained = fit(panel, train_until=panel.index_of(UNSEEN_FROM), network_spec=NETWORK, train_spec=TRAINING)
    save(trained, folder)
    return Forecaster.load(folder)


def naive_frame(panel: Panel) -> pl.DataFrame:
    ids, issue_times = zip(*((each, time) for time in ISSUE_TIMES for each in panel.series_ids), strict=True)
    series = np.tile(np.arange(len(panel.series_ids), dtype=np.int32), len(ISSUE_TIMES))
    origin = np.repeat([panel.index_of(each) for each in ISSUE_TIMES], len(panel.series_ids)).astype(np.int32)
    naive = fit_naive(panel, until=panel.index_of(UNSEEN_FROM))
    quantiles = naive_forecast(naive, panel, series=series, origin=origin, leads=LEADS)
    return forecast_frame(quantiles, series_ids=ids, issue_times=issue_times, interval=INTERVAL, model_version="naive")


@pytest.fixture(scope="module")
def at_full_strength(made: Made) -> pl.DataFrame:
    return made.forecasts(hold_back_nothing, forecaster=made.knows_learned)


def assert_sound(forecasts: pl.DataFrame, *, series: int) -> None:
    """A finite, ascending forecast of every series, issue time and lead."""
    assert forecasts.height == series * len(ISSUE_TIMES) * LEADS
    quantiles = forecasts.select(QUANTILE_COLUMNS).to_numpy()
    assert np.isfinite(quantiles).all()
    assert (np.diff(quantiles, axis=1) >= 0).all()


def reasons(forecasts: pl.DataFrame, series_ids: tuple[str, ...], *, beyond_a_day: bool) -> set[str]:
    """Why forecasts for the first day, or for later, are degraded."""
    is_asked = pl.col("series_id").is_in(series_ids) & (
        (pl.col("valid_time") - pl.col("issue_time") >= DAY) == pl.lit(beyond_a_day)
    )
    return set(forecasts.filter(is_asked)["degraded_because"])


def test_at_full_strength_nothing_is_degraded_and_bands_hold_what_they_say(
    made: Made, at_full_strength: pl.DataFrame
) -> None:
    assert_sound(at_full_strength, series=len(TREE.ids))
    score = made.score(at_full_strength)
    assert 0.7 <= score.coverage_80 <= 0.9
    assert score.pinball < 0.4 * made.score(made.naive).pinball
    for beyond_a_day in (False, True):
        assert reasons(at_full_strength, (*LEARNED, "system"), beyond_a_day=beyond_a_day) == {""}


@pytest.mark.parametrize(
    ("hold_back", "first_day", "later", "of_naive"),
    [
        pytest.param(
            hold_back_weather,
            "no temperature known for this time",
            "no temperature known for this time",
            0.75,
            id="no weather at all",
        ),
        pytest.param(
            hold_back_weather_beyond_a_day,
            "",
            "no temperature known for this time",
            0.6,
            id="no weather beyond a day",
        ),
        pytest.param(
            hold_back_last_day,
            "newest reading missing",
            "newest reading missing",
            0.45,
            id="no readings of the last day",
        ),
    ],
)
def test_what_is_missing_makes_forecasts_wider_and_a_little_worse(
    made: Made,
    at_full_strength: pl.DataFrame,
    hold_back: Callable[[Known, datetime], Known],
    first_day: str,
    later: str,
    of_naive: float,
) -> None:
    forecasts = made.forecasts(hold_back, forecaster=made.knows_learned)
    assert_sound(forecasts, series=len(TREE.ids))
    assert reasons(forecasts, LEARNED, beyond_a_day=False) == {first_day}
    assert reasons(forecasts, LEARNED, beyond_a_day=True) == {later}
    score, full = made.score(forecasts), made.score(at_full_strength)
    assert score.width_80 > full.width_80
    assert 0.65 <= score.coverage_80 <= 0.95
    assert full.pinball < score.pinball < of_naive * made.score(made.naive).pinball


def test_without_weather_beyond_a_day_the_first_day_is_as_good_as_ever(
    made: Made, at_full_strength: pl.DataFrame
) -> None:
    forecasts = made.forecasts(hold_back_weather_beyond_a_day, forecaster=made.knows_learned)
    first_day = pl.col("valid_time") - pl.col("issue_time") < DAY
    score, full = (made.score(each.filter(first_day)) for each in (forecasts, at_full_strength))
    assert score.pinball == pytest.approx(full.pinball, rel=0.1)
    assert score.width_80 == pytest.approx(full.width_80, rel=0.15)


def test_without_weather_beyond_a_day_later_days_are_no_worse_than_without_any(made: Made) -> None:
    later = pl.col("valid_time") - pl.col("issue_time") >= DAY
    some, none = (
        made.score(made.forecasts(hold_back, forecaster=made.knows_learned).filter(later))
        for hold_back in (hold_back_weather_beyond_a_day, hold_back_weather)
    )
    assert some.pinball < 1.05 * none.pinball


def test_a_new_series_with_14_days_of_history_is_forecast_nearly_as_well_as_one_that_was_learned(made: Made) -> None:
    new = made.forecasts(hold_back_all_but_14_days, forecaster=made.knows_learned)
    assert_sound(new, series=len(TREE.ids))
    for beyond_a_day in (False, True):
        assert reasons(new, NEW, beyond_a_day=beyond_a_day) == {"series unknown to the model"}
        assert reasons(new, LEARNED, beyond_a_day=beyond_a_day) == {""}
    learned = made.forecasts(hold_back_nothing, forecaster=made.knows_all)
    score, full = (made.score(each, series_ids=NEW) for each in (new, learned))
    assert full.error < score.error < 1.25 * full.error
    assert score.width_80 > full.width_80
    assert 0.65 <= score.coverage_80 <= 0.95
    assert score.pinball < 0.5 * made.score(made.naive, series_ids=NEW).pinball


def test_everything_missing_at_once_is_told_and_still_forecast(made: Made) -> None:
    issue_time = ISSUE_TIMES[0]
    some = made.history.readings.filter(
        pl.col("valid_time").is_between(issue_time - 5 * DAY, issue_time - DAY, closed="left")
    )
    known = replace(made.history, readings=some, weather=made.history.weather.clear())
    forecasts = issue_forecast(made.knows_learned, known, issue_time=issue_time, model_version="1")
    quantiles = forecasts.select(QUANTILE_COLUMNS).to_numpy()
    assert np.isfinite(quantiles).all()
    assert (np.diff(quantiles, axis=1) >= 0).all()
    told = "newest reading missing; readings of less than 7 of the last 14 days; no temperature known for this time"
    of_new = f"series unknown to the model; {told}"
    assert dict(forecasts.select("series_id", "degraded_because").unique().rows()) == {
        each: of_new if each in NEW else told for each in TREE.ids
    }
