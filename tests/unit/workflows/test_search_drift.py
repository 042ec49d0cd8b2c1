"""Drift is found in the store's forecasts by limits from a backtest, and told once until it is over."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from support.processed_history import write_history

from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.domain.tables import CLEAN_READINGS, FORECASTS
from gridcast.evaluation.scored import MODEL
from gridcast.store.store import Store
from gridcast.workflows.judging.backtest import Backtest
from gridcast.workflows.readings.processed import Processed
from gridcast.workflows.watching.drift_state import DriftState, read_drift
from gridcast.workflows.watching.search_drift import Learned, search_drift, tell_drift

DAY = timedelta(days=1)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
NORMAL = (-1.645, -1.2816, -0.674, 0.0, 0.674, 1.2816, 1.645)
SERIES = ("system", "zone_n", "zone_s")


@dataclass
class Watched:
    """A history, a store with its last weeks and their forecasts, and what a backtest measured before."""

    processed: Processed
    store: Store
    learned: Learned

    def search(self, before: DriftState | None = None) -> DriftState:
        return search_drift(self.store, self.processed, learned=self.learned, now=NOW, before=before)

    def multiply(self, factor: float, *, days: int) -> None:
        """Loads of the newest days, as they are measured now."""
        end = self.processed.observed_until
        rows = self.processed.readings(start=end - days * DAY).select(CLEAN_READINGS.names())
        self.store.save_clean(rows.with_columns(pl.col("load_mw") * factor), known_from=end)


def forecast(readings: pl.DataFrame, *, seed: int) -> pl.DataFrame:
    """Three days of forecasts from every midnight, with a spread of 4 % that is right."""
    rng = np.random.default_rng(seed)
    midnight = pl.col("valid_time").dt.truncate("1d")
    off = 1 + 0.04 * rng.standard_normal(readings.height)
    rows = readings.with_columns(middle=pl.col("load_mw") * pl.Series(off))
    rows = pl.concat(rows.with_columns(issue_time=midnight - days * DAY) for days in range(3))
    return rows.with_columns(
        **{name: pl.col("middle") * (1 + 0.04 * level) for name, level in zip(QUANTILE_COLUMNS, NORMAL, strict=True)}
    )


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    processed = write_history(tmp_path / "processed", days=120, forecasts=False)
    end = processed.observed_until
    history = processed.readings()
    past = history.filter(pl.col("valid_time") >= end - 90 * DAY, pl.col("valid_time") < end - 32 * DAY)
    points = forecast(past, seed=1).select(
        pl.lit(MODEL).alias("forecaster"), "series_id", "issue_time", "valid_time", *QUANTILE_COLUMNS,
        actual_mw="load_mw",
    )  # fmt: skip
    backtest = Backtest(points, {}, (end - 90 * DAY,), "1", "test", processed.fingerprint)
    with contextlib.closing(Store.open(tmp_path / "gridcast.db")) as store:
        live = history.filter(pl.col("valid_time") >= end - 32 * DAY)
        store.save_clean(live.select(CLEAN_READINGS.names()), known_from=end)
        issued = forecast(live, seed=2).with_columns(
            layer=pl.lit("model"), model_version=pl.lit("1"), degraded_because=pl.lit("")
        )
        store.save_forecasts(issued.select(FORECASTS.names()))
        yield Watched(processed, store, Learned(backtest=backtest, trained_until=end - 90 * DAY))


def kinds(store: Store) -> list[str]:
    return store.events()["kind"].to_list()


def test_nothing_is_told_while_nothing_has_changed(watched: Watched) -> None:
    found = watched.search()
    residual = {"level", "step", "shape", "coverage", "sensor"}
    assert set(found.scores["detector"]) >= residual
    assert not {detector for _, detector in found.fired} & residual


def test_drift_is_told_once_and_again_when_it_is_over(watched: Watched) -> None:
    before = watched.search()
    watched.multiply(1.3, days=4)
    found = watched.search(before)
    assert {series for series, detector in found.fired if detector in {"level", "step"}} == set(SERIES)
    told = tell_drift(watched.store, found, before=before)
    assert any("series 'zone_n': " in each for each in told)
    assert set(kinds(watched.store)) == {"drift"}
    assert tell_drift(watched.store, watched.search(found), before=found) == []
    calm = replace(found, scores=found.scores.with_columns(score=0.0, fires=False))
    assert len(tell_drift(watched.store, calm, before=found)) == len(found.fired)
    assert kinds(watched.store)[-1] == "drift_recovered"


def test_without_forecasts_in_the_store_only_inputs_are_compared(watched: Watched) -> None:
    with watched.store.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM runs")
        connection.exec_driver_sql("DELETE FROM forecasts")
    assert not {"level", "shape"} & set(watched.search().scores["detector"])


def test_what_was_found_is_kept_and_read_again(watched: Watched, tmp_path: Path) -> None:
    found = watched.search()
    found.write(tmp_path / "drift.json")
    again = read_drift(tmp_path / "drift.json")
    assert again is not None
    assert again.scores.equals(found.scores)
    assert (again.checked_at, again.model_version, again.fired) == (NOW, "1", found.fired)


def test_a_damaged_file_is_as_none(tmp_path: Path) -> None:
    (tmp_path / "drift.json").write_text('{"scores": [')
    assert read_drift(tmp_path / "drift.json") is None
    assert read_drift(tmp_path / "absent.json") is None
