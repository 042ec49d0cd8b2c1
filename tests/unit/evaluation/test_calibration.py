"""Calibration counts how often forecast probabilities came true."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from gridcast.domain.quantiles import QUANTILE_COLUMNS, QUANTILE_LEVELS
from gridcast.evaluation.calibration import calibration

ISSUE = datetime(2024, 6, 1, tzinfo=UTC)


def uniform_frame(actuals: np.ndarray) -> pl.DataFrame:
    """Forecasts of a load uniform on 0 to 100 MW, one actual per lead hour."""
    return pl.DataFrame(
        {
            "forecaster": "model",
            "series_id": "zone_01",
            "issue_time": ISSUE,
            "valid_time": [ISSUE + timedelta(minutes=15 * step) for step in range(len(actuals))],
            "actual_mw": actuals,
            **{name: 100.0 * level for name, level in zip(QUANTILE_COLUMNS, QUANTILE_LEVELS, strict=True)},
        }
    )


def test_evenly_spread_actuals_meet_every_level_and_band() -> None:
    table = calibration(uniform_frame(np.arange(100.0) + 0.5), by=[])
    np.testing.assert_allclose(table["observed"], table["nominal"], atol=1e-12)
    assert table["n"].unique().to_list() == [100]
    assert table.filter(pl.col("kind") == "band")["nominal"].to_list() == [0.8, 0.9]


def test_counts_are_kept_apart_by_lead_bucket_and_missing_actuals_left_out() -> None:
    actuals = np.full(48, 50.0)
    actuals[24:] = 1.0
    actuals[:4] = np.nan
    table = calibration(uniform_frame(actuals)).filter((pl.col("kind") == "quantile") & (pl.col("nominal") == 0.25))
    assert table.select("lead_bucket", "observed", "n").rows() == [("0–6 h", 0.0, 20), ("6–12 h", 1.0, 24)]


@pytest.mark.parametrize(("actual", "inside"), [(5.0, 1.0), (95.0, 1.0), (4.9, 0.0), (95.1, 0.0)])
def test_the_bounds_belong_to_the_band(actual, inside) -> None:
    table = calibration(uniform_frame(np.array([actual])), by=[])
    assert table.filter((pl.col("kind") == "band") & (pl.col("nominal") == 0.9))["observed"].to_list() == [inside]


def test_a_group_without_an_actual_has_no_observed_share() -> None:
    table = calibration(uniform_frame(np.array([np.nan])))
    assert table["observed"].null_count() == len(table)
    assert table["n"].unique().to_list() == [0]
