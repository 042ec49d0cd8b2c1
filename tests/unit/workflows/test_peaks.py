"""Daily peaks of stored forecasts and of backtests, on a clean history."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from support.processed_history import HOUR, START, TIME_ZONE, write_history

from gridcast.domain.errors import GridcastError, UsageError
from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.domain.tables import FORECASTS
from gridcast.evaluation.copula import scores_of_levels
from gridcast.evaluation.peak_scores import peak_scores
from gridcast.store.store import Store
from gridcast.workflows.judging.backtest import Backtest
from gridcast.workflows.judging.issued_peaks import issued_peaks
from gridcast.workflows.judging.judge_peaks import PeakJudge
from gridcast.workflows.judging.peak_limits import PeakLimits
from gridcast.workflows.readings.processed import Processed

ORIGINS = tuple(START + timedelta(days=day) for day in range(28, 38))
CORRELATION = tuple((0.8 ** np.arange(48)).tolist())
SERIES = ("system", "zone_n", "zone_s")


@pytest.fixture(scope="module")
def processed(tmp_path_factory: pytest.TempPathFactory) -> Processed:
    return write_history(tmp_path_factory.mktemp("history") / "processed", days=42, forecasts=False)


def forecasts(processed: Processed, *, issue_time: datetime, version: str = "1") -> pl.DataFrame:
    """Forecasts that are right but for a spread of 2 MW."""
    rows = processed.readings().filter(pl.col("valid_time").is_between(issue_time, issue_time + 47 * HOUR))
    spread = dict(zip(QUANTILE_COLUMNS, (2.0 * scores_of_levels()).tolist(), strict=True))
    return rows.select(
        "series_id",
        "valid_time",
        pl.lit(issue_time).cast(FORECASTS["issue_time"]).alias("issue_time"),
        layer=pl.lit("model"),
        model_version=pl.lit(version),
        degraded_because=pl.lit(""),
        **{name: pl.col("load_mw") + offset for name, offset in spread.items()},
    ).select(FORECASTS.names())


def backtest(processed: Processed) -> Backtest:
    issued = pl.concat(forecasts(processed, issue_time=each) for each in ORIGINS)
    actual = processed.readings().select("series_id", "valid_time", actual_mw="load_mw")
    model = issued.drop("layer", "model_version", "degraded_because").join(actual, on=["series_id", "valid_time"])
    naive = model.with_columns(pl.col(name) - 10.0 for name in QUANTILE_COLUMNS)
    points = pl.concat(
        each.with_columns(forecaster=pl.lit(name)) for name, each in (("model", model), ("naive", naive))
    )
    return Backtest(points, {}, ORIGINS, "7", "model 7", processed.fingerprint)


def test_the_usual_limit_looks_at_nothing_measured_later_and_a_given_one_wins(processed: Processed) -> None:
    limits = PeakLimits({"zone_n": 5.0}, 1.0).resolve(processed, before=ORIGINS[0])
    before = processed.readings().filter(pl.col("valid_time") < ORIGINS[0])
    highest = before.group_by("series_id").agg(pl.col("load_mw").max()).sort("series_id")
    assert limits == {**dict(highest.iter_rows()), "zone_n": 5.0}


def test_a_limit_of_an_unknown_series_is_refused(processed: Processed) -> None:
    with pytest.raises(UsageError, match="unknown series"):
        PeakLimits({"zone_x": 5.0}).resolve(processed, before=ORIGINS[0])


def test_each_series_shows_the_days_of_its_own_newest_forecast_by_the_model_that_issued_it(
    processed: Processed, tmp_path: Path
) -> None:
    store = Store.open(tmp_path / "gridcast.db")
    later = forecasts(processed, issue_time=ORIGINS[1], version="2").filter(pl.col("series_id") != "zone_s")
    store.save_forecasts(pl.concat([forecasts(processed, issue_time=ORIGINS[0]), later]))
    asked: list[str] = []

    def correlation_of(version: str) -> tuple[float, ...]:
        asked.append(version)
        return CORRELATION

    table = issued_peaks(
        store, processed, series_ids=SERIES, limits=PeakLimits({"zone_s": 0.0}), correlation_of=correlation_of
    )
    store.close()

    issues = dict(table.select("series_id", "issue_time").unique().iter_rows())
    assert issues == {"system": ORIGINS[1], "zone_n": ORIGINS[1], "zone_s": ORIGINS[0]}
    assert sorted(asked) == ["1", "2"]
    assert table.group_by("series_id").len()["len"].to_list() == [2, 2, 2]
    assert table.filter(series_id="zone_s")["p_exceed"].to_list() == [1.0, 1.0]


def test_a_store_without_forecasts_says_what_to_run(processed: Processed, tmp_path: Path) -> None:
    store = Store.open(tmp_path / "gridcast.db")
    with pytest.raises(GridcastError, match=r"no forecast of system.*gridcast forecast"):
        issued_peaks(store, processed, series_ids=["system"], limits=PeakLimits(), correlation_of=lambda _: CORRELATION)
    store.close()


def test_peaks_of_a_backtest_stand_beside_what_was_measured_and_are_kept(processed: Processed, tmp_path: Path) -> None:
    judge, made = PeakJudge(processed, tmp_path, PeakLimits()), backtest(processed)

    table = judge.judge(made, lead_correlation=CORRELATION)

    assert table.height == len(SERIES) * len(ORIGINS) * 2
    local = pl.col("valid_time").dt.convert_time_zone(TIME_ZONE).dt.date()
    measured = processed.readings().group_by("series_id", local.alias("date")).agg(peak=pl.col("load_mw").max())
    beside = table.join(measured, on=["series_id", "date"])
    assert beside["actual_peak_mw"].to_list() == pytest.approx(beside["peak"].to_list())
    assert beside["medians_peak_mw"].to_list() == pytest.approx(beside["peak"].to_list())
    assert beside["naive_peak_mw"].to_list() == pytest.approx((beside["peak"] - 10.0).to_list())
    scores = peak_scores(table, alarm_threshold=0.5).row(0, named=True)
    assert scores["hour_hit_rate"] > 0.5
    assert scores["skill_mae_vs_naive"] > 0.5
    assert_frame_equal(pl.read_parquet(tmp_path / "7" / "peaks.parquet"), table)


def test_peaks_once_kept_are_read_again_until_what_they_rest_on_changes(processed: Processed, tmp_path: Path) -> None:
    judge, made = PeakJudge(processed, tmp_path, PeakLimits()), backtest(processed)
    judge.judge(made, lead_correlation=CORRELATION)
    file = tmp_path / "7" / "peaks.parquet"
    pl.read_parquet(file).head(1).write_parquet(file)

    assert judge.judge(made, lead_correlation=CORRELATION).height == 1
    assert judge.judge(made, lead_correlation=(1.0,) * 48).height > 1
    limited = PeakJudge(processed, tmp_path, PeakLimits({"system": 1.0}))
    assert limited.judge(made, lead_correlation=(1.0,) * 48).filter(series_id="system")["p_exceed"].min() == 1.0
