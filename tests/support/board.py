"""The real service over a model that forecasts two days, for those who look at it from outside: browser and client."""

import contextlib
import shutil
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import uvicorn
from support.plant import JUDGED_DAYS
from support.processed_history import write_history
from support.workers import in_turn

from gridcast.app.application import create_app
from gridcast.app.service import Service
from gridcast.domain.roles import Role
from gridcast.domain.tables import Quality
from gridcast.models.tensorflow.serving import Forecaster
from gridcast.models.tensorflow.spec import NetworkSize, TrainSpec
from gridcast.registry.catalogue import CHAMPION
from gridcast.registry.mlflow_registry import Registry
from gridcast.settings.app import AppSettings
from gridcast.store import keys
from gridcast.store.store import Store
from gridcast.workflows.forecasts.issue_forecast import issue_forecast
from gridcast.workflows.forecasts.known import known_at
from gridcast.workflows.forecasts.operators import with_operators
from gridcast.workflows.forecasts.score_forecasts import score_forecasts
from gridcast.workflows.forecasts.weather_use import WeatherKnown, WeatherUse
from gridcast.workflows.judging.backtest import judging_origins
from gridcast.workflows.readings.workspace import Workspace
from gridcast.workflows.training.recipe import Recipe
from gridcast.workflows.training.train_model import train_model

HOUR = timedelta(hours=1)
HORIZON = 48 * HOUR
ISSUES = 5
ESTIMATED = 3
"""Hours of the newest readings of zone_n that are marked as estimated."""
_PATIENCE_S = 30
_AUTHOR = keys.Author("test", "local")


@dataclass(frozen=True)
class Board:
    """The address, a key for each role, and the store behind."""

    url: str
    keys: Mapping[Role, str]
    store: Store

    def issue_again(self, *, later: timedelta = HOUR) -> datetime:
        """Keep a newer forecast of every series, the newest one moved on, as a tick would; when it was issued."""
        newest = self.store.newest_issue_time()
        assert newest is not None
        rows = self.store.forecasts(start=newest, end=newest + timedelta(microseconds=1)).filter(layer="model")
        moved = rows.with_columns(pl.col("issue_time", "valid_time") + later)
        self.store.save_forecasts(with_operators(self.store, moved))
        return newest + later


def built_in(run: Path) -> Path:
    """History, model and store in a folder, made once in a test run. Not to be changed: serve a copy."""
    folder = run / "board"
    with in_turn(run / "board.lock"):
        if not folder.exists():
            part = run / "board.part"
            _build(part)
            part.rename(folder)
    return folder


def copy_of(built: Path, folder: Path) -> Path:
    """A copy that may be changed."""
    return shutil.copytree(built, folder / "board")


@contextlib.contextmanager
def serve(place: Path, *, port: int = 0) -> Iterator[Board]:
    """What lies in a folder, served until the block ends."""
    with contextlib.ExitStack() as stack:
        store, behind = (stack.enter_context(contextlib.closing(Store.open(place / "gridcast.db"))) for _ in range(2))
        found = {
            role: keys.create(store, name=f"{role} on duty", role=role, by=_AUTHOR, at=datetime.now(UTC)).key
            for role in Role
        }
        app = create_app(Service(behind, Workspace(place), AppSettings(data_dir=place)))
        listening = stack.enter_context(socket.create_server(("127.0.0.1", port)))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, server_header=False, ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + _PATIENCE_S
        while not server.started:
            assert thread.is_alive(), "the service did not start"
            assert time.monotonic() < deadline, "the service takes too long to start"
            time.sleep(0.01)
        try:
            yield Board(f"http://127.0.0.1:{listening.getsockname()[1]}", found, store)
        finally:
            server.should_exit = server.force_exit = True
            thread.join(_PATIENCE_S)


def _build(folder: Path) -> None:
    processed, registry = write_history(folder / "processed"), Registry.open(folder / "registry")
    model, _ = train_model(
        processed,
        registry,
        recipe=Recipe(
            size=NetworkSize(width=16, blocks=1, encoder_width=8, summary=4, embedding=2),
            training=TrainSpec(members=1, epochs=3, windows_per_epoch=512, batch_size=64, held_out_blocks=2),
            horizon=HORIZON,
            weather=WeatherUse(known=WeatherKnown.AS_ISSUED),
        ),
        unseen_from=judging_origins(processed, horizon=HORIZON, days=JUDGED_DAYS, local_hour=0)[0],
        scratch=folder / "scratch",
        on_progress=lambda _: None,
    )
    registry.set_alias(CHAMPION, model.version)
    forecaster = Forecaster.load(model.directory)
    end = processed.observed_until
    with contextlib.closing(Store.open(folder / "gridcast.db")) as store:
        is_estimated = (pl.col("series_id") == "zone_n") & (pl.col("valid_time") >= end - ESTIMATED * HOUR)
        quality = pl.when(is_estimated).then(pl.lit(Quality.ESTIMATED.value)).otherwise("quality")
        readings = processed.readings(start=end - timedelta(days=30)).with_columns(quality.alias("quality"))
        store.save_clean(readings, known_from=end)
        for issue_time in (end - 12 * HOUR * back for back in reversed(range(ISSUES))):
            known = known_at(processed, issue_time)
            rows = issue_forecast(forecaster, known, issue_time=issue_time, model_version=model.version)
            store.save_forecasts(rows)
        store.add_event(at=end, kind="promoted", message=f"model {model.version} by test")
        score_forecasts(store, processed, last=timedelta(days=7))
