"""The real service on a loopback port, over a plant with forecasts in its store."""

import contextlib
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from support.plant import Plant

from gridcast.app.application import create_app
from gridcast.app.service import Service
from gridcast.domain.roles import Role
from gridcast.domain.tables import CLEAN_READINGS
from gridcast.models.tensorflow.serving import Forecaster
from gridcast.registry.catalogue import CHAMPION
from gridcast.settings.app import AppSettings
from gridcast.store import keys
from gridcast.store.store import Store
from gridcast.workflows.forecasts.issue_forecast import issue_forecast
from gridcast.workflows.forecasts.known import known_at
from gridcast.workflows.forecasts.operators import with_operators
from gridcast.workflows.readings.workspace import Workspace

HOUR = timedelta(hours=1)
ISSUED_HOURS = 30
"""How many hourly forecasts there are, the newest at the end of the history."""


@dataclass
class Served:
    """The service, what it works with, and clients of every role."""

    service: Service
    plant: Plant
    url: str
    server: uvicorn.Server
    keys: dict[Role, str] = field(default_factory=dict)

    def finish(self) -> None:
        """Wait until it has told of every request: an answer is there a little earlier."""
        deadline = time.monotonic() + 30
        while self.server.server_state.tasks:
            assert time.monotonic() < deadline
            time.sleep(0.001)

    @property
    def store(self) -> Store:
        return self.service.store

    @property
    def newest(self) -> datetime:
        """When the newest forecast was issued at first."""
        return self.plant.processed.observed_until

    def client(self, role: Role | None = Role.ADMIN) -> httpx.Client:
        headers = {} if role is None else {"Authorization": f"Bearer {self.keys[role]}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)

    def issue(self, issue_time: datetime) -> None:
        """Issue and keep a forecast, as `gridcast forecast` does."""
        rows = issued(self.plant, issue_time)
        self.store.save_forecasts(with_operators(self.store, rows))


def issued(plant: Plant, issue_time: datetime) -> Any:
    forecaster = Forecaster.load(plant.model.directory)
    known = known_at(plant.processed, issue_time)
    return issue_forecast(forecaster, known, issue_time=issue_time, model_version=plant.model.version)


def fill(store: Store, plant: Plant) -> None:
    """Clean readings of the last ten days and the forecasts of the last thirty hours, with scores and an event."""
    end = plant.processed.observed_until
    readings = plant.processed.readings(start=end - timedelta(days=10)).select(CLEAN_READINGS.names())
    store.save_clean(readings, known_from=end)
    for hours in range(ISSUED_HOURS, -1, -1):
        store.save_forecasts(issued(plant, end - hours * HOUR))
    store.add_event(at=datetime.now(UTC), kind="promoted", message="model 1 by test: it is the first")


def workspace_of(plant: Plant, folder: Path) -> Workspace:
    """The plant as one data folder."""
    workspace = Workspace(folder)
    shutil.copytree(plant.processed.directory, workspace.processed)
    shutil.copytree(plant.model.directory.parents[3], workspace.registry)
    return workspace


@contextlib.contextmanager
def served(plant: Plant, folder: Path, place: Path | str, **settings: Any) -> Iterator[Served]:
    """The service on a store that was filled, with a key for every role, until the block ends."""
    plant.registry.set_alias(CHAMPION, plant.model.version)
    with contextlib.closing(Store.open(place)) as store:
        fill(store, plant)
        limits = {"requests_per_minute": 1_000_000, "failed_authentications_per_minute": 1_000_000}
        app_settings = AppSettings.model_validate({"service": {"limits": limits, **settings}})
        author = keys.Author("test", "local")
        made = {
            role: keys.create(store, name=f"the {role}", role=role, by=author, at=datetime.now(UTC)).key
            for role in Role
        }
        service = Service(store, workspace_of(plant, folder), app_settings)
        with running(service) as (url, server):
            yield Served(service, plant, url, server, made)


@contextlib.contextmanager
def running(service: Service) -> Iterator[tuple[str, uvicorn.Server]]:
    """The service on a port of its own; the result is its URL and who answers there."""
    config = uvicorn.Config(create_app(service), log_config=None, access_log=False, server_header=False, ws="none")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + 30
        while not server.started:
            assert thread.is_alive()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}", server
        finally:
            server.should_exit = server.force_exit = True
            thread.join()
