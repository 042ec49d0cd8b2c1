"""The weather of a model from training to forecast: its station mix, and what was known when."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from support.plant import AS_ISSUED, Plant, train
from support.processed_history import HOUR, START, STATIONS, tree

from gridcast.dashboards.report.model_card import model_card
from gridcast.domain.errors import GridcastError
from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.evaluation.scorecard import scorecard
from gridcast.models.tensorflow.model_card import MODEL_CARD
from gridcast.models.tensorflow.serving import Forecaster
from gridcast.workflows.forecasts.issue_forecast import issue_forecast
from gridcast.workflows.forecasts.known import Known
from gridcast.workflows.forecasts.refresh import refresh_at
from gridcast.workflows.forecasts.weather_use import MixChoice, WeatherKnown, WeatherUse
from gridcast.workflows.judging.backtest import Backtest, JudgedModel, Task, backtest
from gridcast.workflows.readings.processed import WEATHER_FILE, Processed
from gridcast.workflows.training.history import training_history


def with_weather(processed: Processed, folder: Path, change: Callable[[pl.DataFrame], pl.DataFrame]) -> Processed:
    """The same history with other weather."""
    folder.mkdir()
    for each in processed.directory.iterdir():
        if each.name != WEATHER_FILE:
            (folder / each.name).symlink_to(each)
    change(processed.weather()).write_parquet(folder / WEATHER_FILE)
    return replace(processed, directory=folder, fingerprint=folder.name)


def keep(condition: pl.Expr) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda weather: weather.filter(condition)


IS_FORECAST = pl.col("available_at") <= pl.col("valid_time")


def known_at(plant: Plant, hour: int, *, stations: tuple[str, ...] = STATIONS) -> Known:
    issue_time = START + HOUR * hour
    readings = plant.processed.readings().filter(pl.col("available_at") <= issue_time)
    weather = plant.processed.weather(known_at=issue_time).filter(pl.col("station_id").is_in(stations))
    return Known(readings, weather, plant.processed.holidays(), tree())


def issued(plant: Plant, known: Known, hour: int) -> pl.DataFrame:
    forecaster = Forecaster.load(plant.model.directory)
    issue_time = START + HOUR * hour
    refresh = refresh_at(forecaster, known, issue_time=issue_time)
    return issue_forecast(forecaster, known, issue_time=issue_time, model_version="1", refresh=refresh)


def judged(plant: Plant, processed: Processed, *, hour: int, weather: WeatherKnown) -> Backtest:
    model = JudgedModel(Forecaster.load(plant.model.directory), "1")
    return backtest(model, processed, task=Task((START + HOUR * hour,), weather))


def test_the_mix_is_learned_for_each_series_and_survives_registration_and_loading(plant: Plant) -> None:
    mix = Forecaster.load(plant.model.directory).station_mix
    assert mix is not None
    assert mix.of("zone_n")["north"] > 0.7
    assert mix.of("zone_s")["south"] > 0.7
    assert (plant.model.params["weather.station_mix"], plant.model.params["weather.known"]) == ("learned", "as_issued")
    unseen_from = datetime.fromisoformat(plant.model.params["unseen_from"])
    assert training_history(plant.processed, until=unseen_from, use=AS_ISSUED).station_mix == mix


def test_weather_of_the_days_kept_for_judging_changes_no_mix(plant: Plant, tmp_path: Path) -> None:
    until = START + timedelta(days=100)
    late = pl.col("valid_time") >= until
    changed = with_weather(
        plant.processed,
        tmp_path / "changed",
        lambda rows: rows.with_columns(pl.when(late).then(-70.0).otherwise("temperature_c").alias("temperature_c")),
    )
    mixes = [training_history(each, until=until, use=WeatherUse()).station_mix for each in (plant.processed, changed)]
    assert mixes[0] == mixes[1]


def test_the_plain_mean_is_taken_where_it_is_asked_for(plant: Plant) -> None:
    use = WeatherUse(station_mix=MixChoice.MEAN)
    panel, mix = training_history(plant.processed, until=START + timedelta(days=60), use=use)
    assert mix is not None
    assert mix.of("zone_n") == dict.fromkeys(STATIONS, 1 / 3)
    assert panel.temperature_c.shape[0] == 1
    assert panel.vintages is None


def test_a_model_without_a_mix_of_its_own_gets_the_plain_mean(plant: Plant, tmp_path: Path) -> None:
    older = tmp_path / "model"
    shutil.copytree(plant.model.directory, older)
    manifest = json.loads((older / "manifest.json").read_text())
    del manifest["metadata"]["station_mix"]
    (older / "manifest.json").write_text(json.dumps(manifest))
    forecaster = Forecaster.load(older)
    assert forecaster.station_mix is None
    assert issue_forecast(forecaster, known_at(plant, 2400), issue_time=START + HOUR * 2400, model_version="1").height


def test_learning_from_weather_as_issued_without_any_is_refused(plant: Plant, tmp_path: Path) -> None:
    lacking = with_weather(plant.processed, tmp_path / "lacking", keep(~IS_FORECAST))
    with pytest.raises(GridcastError, match=r"none of .* was available when its interval began"):
        train(lacking, plant.registry, tmp_path, weather=AS_ISSUED)


def test_scores_with_observed_and_with_forecast_weather_are_kept_apart(plant: Plant, tmp_path: Path) -> None:
    plant = replace(plant, kept=tmp_path)
    ex_ante, first_reused = plant.judge(WeatherKnown.AS_ISSUED).judge(plant.model)
    again, reused = plant.judge(WeatherKnown.AS_ISSUED).judge(plant.model)
    ex_post, other_reused = plant.judge(WeatherKnown.OBSERVED).judge(plant.model)

    assert (first_reused, reused, other_reused) == (False, True, False)
    assert (again.weather, ex_post.weather) == (WeatherKnown.AS_ISSUED, WeatherKnown.OBSERVED)
    assert again.headline == ex_ante.headline
    assert ex_post.headline["n"] == ex_ante.headline["n"]
    assert ex_post.headline["pinball_linear"] < ex_ante.headline["pinball_linear"]
    assert ex_post.identity != ex_ante.identity
    with pytest.raises(ValueError, match="mixes several kinds of weather"):
        scorecard(pl.concat([ex_ante.points, ex_post.points]))


@pytest.mark.parametrize("known", list(WeatherKnown))
def test_two_models_are_compared_on_the_same_weather(plant: Plant, known: WeatherKnown) -> None:
    compared = plant.judge(known).compare(plant.model, plant.model)
    assert compared.champion is not None
    assert compared.candidate.weather == compared.champion.weather == known
    assert compared.candidate.headline == compared.champion.headline


def test_no_weather_that_came_after_the_issue_time_changes_a_score_ex_ante(plant: Plant, tmp_path: Path) -> None:
    hour = 110 * 24 + 7
    late = pl.col("available_at") > START + HOUR * hour
    changed = with_weather(
        plant.processed,
        tmp_path / "changed",
        lambda rows: rows.with_columns(pl.when(late).then(-70.0).otherwise("temperature_c").alias("temperature_c")),
    )
    before, after = (
        judged(plant, each, hour=hour, weather=WeatherKnown.AS_ISSUED) for each in (plant.processed, changed)
    )
    assert_frame_equal(before.points, after.points)
    ex_post = judged(plant, changed, hour=hour, weather=WeatherKnown.OBSERVED)
    assert ex_post.headline["pinball_model"] != before.headline["pinball_model"]


@pytest.mark.parametrize("hour", [110 * 24, 112 * 24 + 7])
def test_a_forecast_equals_the_one_judged_ex_ante(plant: Plant, hour: int) -> None:
    """2024-03-31, when clocks change in London, lies in the weeks before both."""
    points = judged(plant, plant.processed, hour=hour, weather=WeatherKnown.AS_ISSUED).points
    rows = issued(plant, known_at(plant, hour), hour)
    assert (rows["degraded_because"] == "").all()
    of_model = points.filter(forecaster="model").select("series_id", "valid_time", *QUANTILE_COLUMNS)
    assert_frame_equal(rows.select(of_model.columns), of_model, rel_tol=1e-4)


def test_points_without_known_weather_are_forecast_all_the_same_and_counted(plant: Plant, tmp_path: Path) -> None:
    hour = 110 * 24
    short = with_weather(
        plant.processed,
        tmp_path / "short",
        keep(~IS_FORECAST | (pl.col("valid_time") - pl.col("available_at") < timedelta(hours=9))),
    )
    result = judged(plant, short, hour=hour, weather=WeatherKnown.AS_ISSUED)
    assert result.degraded_share == pytest.approx(3 / 12)
    assert result.headline["n"] == 3 * 12
    whole = judged(plant, plant.processed, hour=hour, weather=WeatherKnown.AS_ISSUED)
    assert whole.degraded_share == 0


def test_rows_say_which_weather_they_lack(plant: Plant) -> None:
    hour = 110 * 24
    known = known_at(plant, hour)
    until = START + HOUR * (hour + 9)
    lacking = replace(
        known,
        weather=known.weather.filter(
            pl.col("valid_time") < until,
            (pl.col("station_id") == "north") | (pl.col("valid_time") < until - HOUR * 4),
        ),
    )
    rows = issued(plant, lacking, hour)
    reasons = dict(rows.group_by("series_id", maintain_order=True).agg("degraded_because").iter_rows())
    unknown = "no temperature known for this time"
    assert reasons["zone_n"] == [*[""] * 9, *[unknown] * 3]
    assert reasons["zone_s"] == [*[""] * 5, *["less than half of the station mix reported"] * 4, *[unknown] * 3]
    assert rows.select(QUANTILE_COLUMNS).null_count().sum_horizontal().item() == 0


def test_a_history_without_forecasts_lets_observations_stand_in_for_them(plant: Plant, tmp_path: Path) -> None:
    observed = with_weather(plant.processed, tmp_path / "observed", keep(~IS_FORECAST))
    at = START + timedelta(days=100)
    assert not observed.has_weather_forecasts()
    assert observed.weather(known_at=at).equals(observed.weather())
    known = plant.processed.weather(known_at=at)
    assert plant.processed.has_weather_forecasts()
    assert known["available_at"].max() == at
    assert known["valid_time"].max() == at + HOUR * 53


def test_the_model_card_tells_the_weather_and_the_stations(plant: Plant) -> None:
    card = model_card(plant.model, judged=plant.judge(WeatherKnown.AS_ISSUED).judge(plant.model)[0])
    assert card["Weather learned from"] == "The temperatures known at each issue time (ex-ante)"
    assert "zone_n: north " in card["Weather stations"]
    assert "all other series: the plain mean of 3" in card["Weather stations"]
    assert card["Judged"] == "With temperatures as forecast, which 100.0% of the points had"
    assert card["Forecast"].startswith("12 intervals of 60 minutes")
    kept = (plant.model.directory / MODEL_CARD).read_text(encoding="utf-8")
    assert f"- **Weather stations.** {card['Weather stations']}." in kept
