"""Bands are stretched by how a model's forecasts did in the past weeks, the same in service and before the judge."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose
from support.formula import KIN, LEADS, OFF_MW, formula_forecaster, without_first_series
from support.processed_history import write_history

from gridcast.models.tensorflow.serving import Forecaster
from gridcast.workflows.forecasts.issue_forecast import issue_forecast
from gridcast.workflows.forecasts.known import Known, known_at
from gridcast.workflows.forecasts.refresh import Refresh, refresh_at, refresh_time
from gridcast.workflows.judging.backtest import model_quantiles
from gridcast.workflows.readings.processed import Processed
from gridcast.workflows.training.history import history_panel

ISSUED = datetime(2024, 4, 10, 7, tzinfo=UTC)


@pytest.fixture(scope="module")
def processed(tmp_path_factory: pytest.TempPathFactory) -> Processed:
    return write_history(tmp_path_factory.mktemp("refresh") / "processed")


@pytest.fixture(scope="module")
def forecaster(processed: Processed) -> Forecaster:
    return formula_forecaster(processed)


def refreshed(forecaster: Forecaster, known: Known) -> Refresh:
    found = refresh_at(forecaster, known, issue_time=ISSUED)
    assert found is not None
    return found


def test_bands_of_service_are_those_of_the_judge(processed: Processed, forecaster: Forecaster) -> None:
    panel = history_panel(processed, as_issued=True)
    origin, series = panel.index_of(ISSUED), np.arange(len(panel.series_ids), dtype=np.int32)
    judged = model_quantiles(forecaster, panel, series=series, origin=np.full(len(series), origin, dtype=np.int32))
    known = known_at(processed, ISSUED)
    rows = issue_forecast(forecaster, known, issue_time=ISSUED, model_version="1", refresh=refreshed(forecaster, known))
    served = rows.select(pl.col("^p[0-9]+$")).to_numpy().reshape(len(series), LEADS, -1)
    assert_allclose(served, judged, rtol=1e-4, atol=1e-4)
    plain = forecaster.forecast(panel, series=series, origin=np.full(len(series), origin))
    assert np.abs(judged - plain).max() > 0.1
    assert_allclose(judged[..., 3], plain[..., 3], rtol=1e-5, err_msg="medians stay")


def test_nothing_that_came_after_the_start_of_the_day_changes_a_band(
    processed: Processed, forecaster: Forecaster
) -> None:
    known = known_at(processed, ISSUED)
    is_late = pl.col("available_at") > refresh_time(ISSUED)
    changed = replace(
        known,
        readings=known.readings.with_columns(pl.when(is_late).then(1e4).otherwise("load_mw").alias("load_mw")),
    )
    assert known.readings.filter(is_late).height > 0
    assert_allclose(refreshed(forecaster, changed).factors, refreshed(forecaster, known).factors)
    earlier = known.readings.with_columns(pl.when(~is_late).then(1e4).otherwise("load_mw").alias("load_mw"))
    assert not np.allclose(
        refreshed(forecaster, replace(known, readings=earlier)).factors, refreshed(forecaster, known).factors
    )


def test_days_a_model_was_trained_on_are_no_evidence(processed: Processed, forecaster: Forecaster) -> None:
    until = (ISSUED - timedelta(hours=1)).isoformat()
    fresh = replace(forecaster, manifest=replace(forecaster.manifest, trained_until=until))
    assert (refreshed(fresh, known_at(processed, ISSUED)).factors == 1.0).all()


def test_a_new_series_is_forecast_as_the_one_whose_forecasts_of_its_past_were_best(
    processed: Processed, forecaster: Forecaster
) -> None:
    model, known = without_first_series(forecaster), known_at(processed, ISSUED)
    with_kin, without = (
        issue_forecast(model, known, issue_time=ISSUED, model_version="1", refresh=refresh)
        for refresh in (refreshed(model, known), None)
    )
    right = issue_forecast(forecaster, known, issue_time=ISSUED, model_version="1")
    of_new = pl.col("series_id") == forecaster.series_ids[0]
    medians = [each.filter(of_new)["p50"].to_numpy() for each in (with_kin, without, right)]
    assert_allclose(medians[0], medians[2], atol=OFF_MW / 100)
    assert_allclose(medians[1] - medians[2], KIN * OFF_MW, rtol=1e-3)
    assert with_kin.filter(of_new)["degraded_because"].str.contains("unknown to the model").all()


def test_a_new_series_is_judged_as_it_is_served(processed: Processed, forecaster: Forecaster) -> None:
    model, known = without_first_series(forecaster), known_at(processed, ISSUED)
    panel = history_panel(processed, as_issued=True, station_mix=model.station_mix)
    origin, series = panel.index_of(ISSUED), np.arange(len(panel.series_ids), dtype=np.int32)
    judged = model_quantiles(model, panel, series=series, origin=np.full(len(series), origin, dtype=np.int32))
    rows = issue_forecast(model, known, issue_time=ISSUED, model_version="1", refresh=refreshed(model, known))
    served = rows.select(pl.col("^p[0-9]+$")).to_numpy().reshape(len(series), LEADS, -1)
    assert_allclose(served, judged, rtol=1e-4, atol=1e-4)
