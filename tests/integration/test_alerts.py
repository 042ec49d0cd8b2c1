"""A real Prometheus and Alertmanager watch the running service: alarms come in the stated time, and end."""

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import polars as pl
import pytest
from support.plant import Plant
from support.prometheus import Pager, eventually, pager, watching
from support.served import HOUR, Served, issued, running, served, workspace_of

from gridcast.app.service import Service
from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.domain.roles import Role
from gridcast.domain.tables import CLEAN_READINGS
from gridcast.monitoring.alert_rules import render_rules
from gridcast.registry.catalogue import CHAMPION
from gridcast.settings.app import AppSettings
from gridcast.store import keys
from gridcast.store.store import Store
from gridcast.workflows.forecasts.score_forecasts import score_forecasts
from gridcast.workflows.forecasts.weather_use import WeatherKnown
from gridcast.workflows.judging.judge_model import Judge
from gridcast.workflows.judging.yardstick import mae_limits

SCALE = 1 / 600
"""Five minutes for which a forecast must be old become half a second."""
HOURS_PER_SECOND = 1.0
OLD_AFTER_H = 2.0
LASTING_S = 6.0
"""An hour for which an error must be large."""
ENOUGH = 'gridcast_forecast_scored_points{layer="model", series_id="system"} >= 24'
TOO_LARGE = (
    'gridcast_forecast_mae_megawatts{layer="model"} > on (series_id, lead_bucket) gridcast_forecast_mae_limit_megawatts'
)
SLACK_S = 11.0
"""Values are up to 5 s old when scraped; then one second each to scrape, judge and tell, and a busy machine's share."""


@dataclass
class Time:
    """Service time, an hour a second, from where it was set."""

    set_to: datetime
    at: float = field(default_factory=time.monotonic)

    def now(self) -> datetime:
        return self.set_to + HOUR * HOURS_PER_SECOND * (time.monotonic() - self.at)

    def set(self, moment: datetime) -> None:
        self.set_to, self.at = moment, time.monotonic()


@dataclass
class Drill:
    here: Served
    time: Time
    pager: Pager
    prometheus: str

    @contextlib.contextmanager
    def forecasting(self) -> Iterator[None]:
        """A forecast of the newest data for every half hour of service time, as long as the block lasts."""
        newest = self.here.store.newest_issue_time()
        assert newest is not None
        rows = self.here.store.forecasts(start=newest, end=newest + timedelta(microseconds=1))
        stop = threading.Event()

        def issue() -> None:
            while not stop.wait(0.5 / HOURS_PER_SECOND):
                at = self.time.now().replace(minute=0, second=0, microsecond=0)
                shift = at - newest
                self.here.store.save_forecasts(rows.with_columns(pl.col("issue_time", "valid_time") + shift))

        thread = threading.Thread(target=issue)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


@pytest.fixture
def drill(plant: Plant, tmp_path: Path) -> Iterator[Drill]:
    folder = tmp_path / "watching"
    folder.mkdir()
    with served(plant, tmp_path / "data", tmp_path / "gridcast.db") as here:
        author = keys.Author("test", "local")
        key = keys.create(here.store, name="prometheus", role=Role.VIEWER, by=author, at=datetime.now(UTC)).key
        clock = Time(here.newest)
        service = Service(here.store, here.service.workspace, here.service.settings, clock=clock.now)
        with running(service) as (url, _), pager() as hook:
            target = url.removeprefix("http://")
            rules = render_rules(time_scale=SCALE)
            with watching(folder, target=target, key=key, rules=rules, hook=hook.port) as prometheus:
                yield Drill(here, clock, hook, prometheus)


def test_when_forecasts_stop_the_alarm_comes_in_time_and_when_they_go_on_it_ends(drill: Drill) -> None:
    with drill.forecasting():
        drill.pager.wait("GridcastWatchdog", "firing", within=60)
        eventually(lambda: bool(scraped(drill.prometheus, 'gridcast_forecast_age_seconds{layer="model"}')))
        time.sleep(3)
        assert not drill.pager.has_heard("GridcastForecastOld")
    stopped = OLD_AFTER_H / HOURS_PER_SECOND
    took = drill.pager.wait("GridcastForecastOld", "firing", within=stopped + SLACK_S, severity="critical")
    assert took > 0
    with drill.forecasting():
        drill.pager.wait("GridcastForecastOld", "resolved", within=SLACK_S)


def test_a_meter_outage_and_a_biased_forecast_reach_the_pager_and_end(drill: Drill) -> None:
    store = drill.here.store
    newest = store.newest_reading()
    issued = store.newest_issue_time()
    assert newest is not None
    assert issued is not None
    readings = store.readings(start=newest - 6 * HOUR, end=newest + HOUR).filter(series_id="zone_n")
    store.save_clean(readings.with_columns(load_mw=pl.lit(None, pl.Float64), quality=pl.lit("missing")))
    drill.pager.wait("GridcastSeriesLate", "firing", within=60, level="zone")
    store.save_clean(readings)
    drill.pager.wait("GridcastSeriesLate", "resolved", within=SLACK_S, level="zone")

    rows = store.forecasts(start=issued, end=issued + timedelta(microseconds=1))
    biased = rows.with_columns(pl.col(QUANTILE_COLUMNS) * 3.0)
    store.save_forecasts(biased)
    drill.pager.wait("GridcastForecastImpossible", "firing", within=SLACK_S, series_id="zone_n")
    store.save_forecasts(rows)
    drill.pager.wait("GridcastForecastImpossible", "resolved", within=SLACK_S, series_id="zone_n")


@dataclass
class Live:
    """An installation whose forecasts are scored as their actuals come in."""

    store: Store
    plant: Plant

    def forecasts(self, times: Sequence[datetime], *, bias_mw: float = 0.0) -> None:
        """Forecasts issued at some times, each off by some MW, and the scores of all that were issued."""
        columns = [pl.col(name) + bias_mw for name in QUANTILE_COLUMNS]
        for at in times:
            self.store.save_forecasts(issued(self.plant, at).with_columns(columns))
        score_forecasts(self.store, self.plant.processed, last=timedelta(days=20))


def test_a_bias_injected_into_live_forecasts_reaches_the_pager_and_clears_when_it_ends(
    plant: Plant, tmp_path: Path
) -> None:
    end = plant.processed.observed_until
    plant.registry.set_alias(CHAMPION, plant.model.version)
    with contextlib.closing(Store.open(tmp_path / "gridcast.db")) as store:
        store.save_clean(plant.processed.readings(start=end - timedelta(days=45)).select(CLEAN_READINGS.names()))
        author = keys.Author("test", "local")
        key = keys.create(store, name="prometheus", role=Role.VIEWER, by=author, at=datetime.now(UTC)).key
        workspace = workspace_of(plant, tmp_path / "data")
        backtest = Judge(plant.processed, workspace.backtest, 14, 0, WeatherKnown.AS_ISSUED).judge(plant.model)[0]
        service = Service(store, workspace, AppSettings(), clock=lambda: end)
        live, days = Live(store, plant), backtest.origins
        live.forecasts(days[:4])
        folder = tmp_path / "watching"
        folder.mkdir()
        with running(service) as (url, _), pager() as hook:
            target, rules = url.removeprefix("http://"), render_rules(time_scale=SCALE)
            with watching(folder, target=target, key=key, rules=rules, hook=hook.port) as prometheus:
                eventually(lambda: bool(scraped(prometheus, ENOUGH)))
                assert not scraped(prometheus, TOO_LARGE)

                largest = float(mae_limits(backtest.points)["limit_mw"].to_numpy().max())
                live.forecasts(days[4:6], bias_mw=4 * largest)
                hook.wait("GridcastErrorAboveBacktest", "firing", within=LASTING_S + SLACK_S, series_id="system")

                live.forecasts(days[6:])
                hook.wait("GridcastErrorAboveBacktest", "resolved", within=SLACK_S, series_id="system")


def scraped(prometheus: str, query: str) -> list[object]:
    """What Prometheus knows of a query; nothing before it answers."""
    with contextlib.suppress(httpx.TransportError):
        answer = httpx.get(f"{prometheus}/api/v1/query", params={"query": query})
        if answer.status_code == 200:
            found: list[object] = answer.json()["data"]["result"]
            return found
    return []
