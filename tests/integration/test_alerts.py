"""A real Prometheus and Alertmanager watch the running service: alarms come in the stated time, and end."""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import polars as pl
import pytest
from support.plant import Plant
from support.prometheus import Pager, eventually, pager, watching
from support.served import HOUR, Served, running, served

from gridcast.app.service import Service
from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.domain.roles import Role
from gridcast.monitoring.alert_rules import render_rules
from gridcast.store import keys

SCALE = 1 / 600
"""Five minutes for which a forecast must be old become half a second."""
HOURS_PER_SECOND = 1.0
OLD_AFTER_H = 2.0
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
        with running(service) as url, pager() as hook:
            target = url.removeprefix("http://")
            rules = render_rules(time_scale=SCALE)
            with watching(folder, target=target, key=key, rules=rules, hook=hook.port) as prometheus:
                yield Drill(here, clock, hook, prometheus)


def test_when_forecasts_stop_the_alarm_comes_in_time_and_when_they_go_on_it_ends(drill: Drill) -> None:
    with drill.forecasting():
        drill.pager.wait("GridcastWatchdog", "firing", within=60)
        eventually(lambda: bool(scraped(drill, 'gridcast_forecast_age_seconds{layer="model"}')))
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


def scraped(drill: Drill, query: str) -> list[object]:
    """What Prometheus knows of a query; nothing before it answers."""
    with contextlib.suppress(httpx.TransportError):
        answer = httpx.get(f"{drill.prometheus}/api/v1/query", params={"query": query})
        if answer.status_code == 200:
            found: list[object] = answer.json()["data"]["result"]
            return found
    return []
