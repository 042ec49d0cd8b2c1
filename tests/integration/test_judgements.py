"""One model on new data, several on the same points, and what was kept of both."""

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from support.plant import HORIZON, Plant
from support.processed_history import HOUR, START, ZONES

from gridcast.domain.dimensions import Dimension
from gridcast.domain.errors import GridcastError, UsageError
from gridcast.domain.tables import HOLIDAYS
from gridcast.evaluation.bootstrap import Resampling
from gridcast.evaluation.scorecard import broken_down
from gridcast.features.panel import Panel
from gridcast.workflows.forecasts.weather_use import WeatherKnown
from gridcast.workflows.judging.backtest import Backtest
from gridcast.workflows.judging.breakdowns import series_facts, week_scales
from gridcast.workflows.judging.compare_models import Compared, compare_models
from gridcast.workflows.judging.evaluate_model import Span, evaluate_model
from gridcast.workflows.judging.judge_model import trained_until
from gridcast.workflows.judging.kept_scores import KeptScores
from gridcast.workflows.readings.processed import Processed
from gridcast.workflows.readings.workspace import Workspace
from gridcast.workflows.training.history import history_panel

DAYS = Resampling(block=3, samples=200)


@pytest.fixture(scope="module")
def evaluated(plant: Plant) -> Backtest:
    return evaluate_model(plant.model, plant.processed, span=Span())


@pytest.fixture(scope="module")
def compared(plant: Plant) -> Compared:
    judge = plant.judge(WeatherKnown.OBSERVED)
    return compare_models([plant.model], judge, baselines=["naive", "linear"], resampling=DAYS)


@pytest.fixture(scope="module")
def panel(plant: Plant) -> Panel:
    return history_panel(plant.processed)


def test_a_model_is_evaluated_on_every_day_after_its_training(plant: Plant, evaluated: Backtest) -> None:
    seen = trained_until(plant.model)
    assert evaluated.origins[0] == seen
    assert evaluated.origins[-1] + HORIZON <= plant.processed.observed_until
    assert evaluated.origins[-1] + HORIZON + timedelta(days=1) > plant.processed.observed_until
    assert evaluated.headline["n"] == len(evaluated.origins) * 12 * 3


def test_an_evaluation_says_what_the_backtest_of_the_same_days_says(plant: Plant, evaluated: Backtest) -> None:
    judged, _ = plant.judge(WeatherKnown.OBSERVED).judge(plant.model)
    assert evaluated.origins == judged.origins
    assert evaluated.headline == judged.headline
    assert evaluated.scores.equals(judged.scores)


def test_a_span_is_kept_to_and_ends_with_a_whole_horizon(plant: Plant) -> None:
    first = START + timedelta(days=110)
    span = Span(start=first, end=first + timedelta(days=3), local_hour=13)
    result = evaluate_model(plant.model, plant.processed, span=span, weather=WeatherKnown.AS_ISSUED)
    assert result.origins == tuple(first + HOUR * 12 + timedelta(days=day) for day in range(3)), "13:00 in London"
    assert set(result.points["weather"]) == {"as_issued"}


def test_days_the_model_was_trained_on_are_refused(plant: Plant) -> None:
    before = trained_until(plant.model) - HOUR
    with pytest.raises(UsageError, match=r"was trained on data until .* expected that time or a later one"):
        evaluate_model(plant.model, plant.processed, span=Span(start=before))


def test_a_time_without_a_whole_forecast_is_refused(plant: Plant) -> None:
    late = plant.processed.observed_until - HOUR
    with pytest.raises(GridcastError, match="expected at least one"):
        evaluate_model(plant.model, plant.processed, span=Span(start=late))
    with pytest.raises(GridcastError, match="expected at least one"):
        evaluate_model(plant.model, plant.processed, span=Span(start=late - HORIZON, local_hour=5))


def test_a_history_of_another_interval_is_refused(plant: Plant) -> None:
    half = replace(plant.processed, interval=HOUR / 2)
    with pytest.raises(GridcastError, match=r"forecasts intervals of 1:00:00, .* holds intervals of 0:30:00"):
        evaluate_model(plant.model, half, span=Span())


def test_kept_scores_are_read_again_and_the_two_kinds_of_weather_do_not_meet(
    plant: Plant, evaluated: Backtest, tmp_path: Path
) -> None:
    folder = evaluated.write(tmp_path)
    assert sorted(each.name for each in folder.iterdir()) == ["headline.json", "points.parquet", "scores.parquet"]
    again = Backtest.read(tmp_path, model_version=plant.model.version)
    assert again is not None
    assert again.scores.equals(evaluated.scores)
    assert again.origins == evaluated.origins
    assert Backtest.read(tmp_path, model_version=plant.model.version, weather=WeatherKnown.AS_ISSUED) is None
    assert replace(evaluated, weather=WeatherKnown.AS_ISSUED).write(tmp_path) != folder


def test_scores_are_kept_by_every_dimension_with_the_scale_of_mase(evaluated: Backtest, panel: Panel) -> None:
    assert set(evaluated.scores["dimension"]) == {"all", *Dimension}
    by_series = broken_down(evaluated.scores, by=Dimension.SERIES)
    scales = week_scales(panel, until=panel.index_of(evaluated.origins[0]))
    for row in by_series.iter_rows(named=True):
        assert row["mase"] == pytest.approx(row["mae_mw"] / scales[row["series_id"]])


def test_the_scale_of_mase_knows_only_the_year_before(panel: Panel) -> None:
    until = 60 * 24
    load = panel.load_mw.astype(np.float64)[:, :until]
    expected = np.abs(load[:, 168:] - load[:, :-168]).mean(axis=1)
    assert list(week_scales(panel, until=until).values()) == pytest.approx(expected.tolist())
    changed = replace(panel, load_mw=np.where(np.arange(len(panel.time)) < until, panel.load_mw, 0).astype(np.float32))
    assert week_scales(changed, until=until) == week_scales(panel, until=until)


def test_holidays_of_the_panel_are_the_local_days_of_every_series(plant: Plant, tmp_path: Path) -> None:
    directory = tmp_path / "processed"
    shutil.copytree(plant.processed.directory, directory)
    days = pl.DataFrame({"date": [START.date() + timedelta(days=90)], "name": ["clocks have changed"]}).cast(HOLIDAYS)
    days.write_parquet(directory / "holidays.parquet")
    history = Processed.open(directory)
    facts = series_facts(history, history_panel(history))
    assert facts.holidays.sort("series_id").rows() == [
        (series_id, START.date() + timedelta(days=90)) for series_id in sorted((*ZONES, "system"))
    ]
    assert facts.levels["system"] == "system"


def test_models_and_baselines_are_compared_pair_by_pair(compared: Compared, evaluated: Backtest) -> None:
    assert compared.contestants == ("model 1", "naive", "linear")
    pairs = compared.pairs.filter(pl.col("metric") == "pinball_mw")
    assert pairs.select("a", "b").rows() == [("model 1", "naive"), ("model 1", "linear"), ("naive", "linear")]
    first = pairs.row(0, named=True)
    assert first["score_a"] == pytest.approx(evaluated.headline["pinball_model"])
    assert first["score_b"] == pytest.approx(evaluated.headline["pinball_naive"])
    assert set(compared.scores["forecaster"]) == set(compared.contestants)
    assert compared.scores["mase"].null_count() == 0


def test_too_few_contestants_or_days_are_refused(plant: Plant) -> None:
    judge = plant.judge(WeatherKnown.OBSERVED)
    with pytest.raises(UsageError, match="to compare: model 1; expected two or more different ones"):
        compare_models([plant.model, plant.model], judge, resampling=DAYS)
    with pytest.raises(UsageError, match="to compare: naive, linear; expected"):
        compare_models([], judge, baselines=["naive", "linear"], resampling=DAYS)
    with pytest.raises(GridcastError, match="14 days hold fewer than 4 blocks of 7 days"):
        compare_models([plant.model], judge, baselines=["naive"], resampling=Resampling())


def test_the_report_finds_what_is_about_the_model_and_the_history_at_hand(
    plant: Plant, evaluated: Backtest, compared: Compared, tmp_path: Path
) -> None:
    place, version = Workspace(tmp_path), plant.model.version
    nothing = KeptScores.find(place, plant.processed, version=version, shown=None)
    assert nothing == KeptScores()
    evaluated.write(place.evaluation)
    replace(evaluated, weather=WeatherKnown.AS_ISSUED).write(place.backtest)
    replace(evaluated, model_version="refit_P28D").write(place.backtest)
    replace(evaluated, model_version="7").write(place.backtest)
    compared.write(place.comparisons)
    replace(compared, contestants=("model 7", "naive")).write(place.comparisons)

    found = KeptScores.find(place, plant.processed, version=version, shown=None)

    judged = [(each.model_version, each.weather.value) for each in found.others]
    assert judged == [("1", "observed"), ("refit_P28D", "observed"), ("1", "as_issued")]
    assert [each.contestants for each in found.comparisons] == [compared.contestants]
    other = replace(plant.processed, fingerprint="another")
    assert KeptScores.find(place, other, version=version, shown=None) == KeptScores()
