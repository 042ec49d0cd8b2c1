"""The image of the service: built from the Dockerfile, small, and serving forecasts with all its rights taken away."""

import contextlib
import io
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import polars as pl
import pytest
from support import image
from support.plant import Plant
from support.postgres import running_postgres
from support.served import HOUR, fill, workspace_of
from support.services import free_ports
from support.workers import in_turn, run_folder

from gridcast import __version__
from gridcast.domain.roles import Role
from gridcast.domain.tables import READINGS
from gridcast.registry.catalogue import CHAMPION
from gridcast.store import keys
from gridcast.store.store import Store

MOST_PULLED = 400_000_000
MOST_UNPACKED = 900_000_000
START_SECONDS = 60
STORES = pytest.mark.parametrize("kind", ["sqlite", "postgresql"])


@dataclass(frozen=True)
class Running:
    """The service in its container, and a client with all rights on it."""

    container: image.Container
    client: httpx.Client
    newest: datetime


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> str:
    with in_turn(run_folder(tmp_path_factory) / "image.lock"):
        return image.built("api")


@contextlib.contextmanager
def serving(api: str, plant: Plant, data: Path, url: str | None) -> Iterator[Running]:
    plant.registry.set_alias(CHAMPION, plant.model.version)
    workspace = workspace_of(plant, data)
    with contextlib.closing(Store.open(url or workspace.store)) as store:
        fill(store, plant)
        author = keys.Author("test", "local")
        key = keys.create(store, name="test", role=Role.ADMIN, by=author, at=datetime.now(UTC)).key
    (port,) = free_ports(1)
    environment = {"GRIDCAST_STORE_URL": url} if url else {}
    with (
        image.container(api, "gridcast", "serve", f"--port={port}", data=data, environment=environment) as container,
        httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {key}"}, timeout=30
        ) as client,
    ):
        wait_until_it_answers(client, container)
        yield Running(container, client, plant.processed.observed_until)


def wait_until_it_answers(client: httpx.Client, container: image.Container) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(httpx.TransportError):
            assert client.get("/v1/health").json() == {"status": "ok", "version": __version__}
            return
        assert time.monotonic() < deadline, container.log()
        time.sleep(0.1)


@contextlib.contextmanager
def store_of(kind: str) -> Iterator[str | None]:
    if kind == "sqlite":
        yield None
        return
    with running_postgres() as server:
        yield server.new_database()


@STORES
def test_the_service_answers_from_a_container_that_may_do_nothing_else(
    kind: str, api: str, plant: Plant, tmp_path: Path
) -> None:
    with store_of(kind) as url, serving(api, plant, tmp_path / "data", url) as here:
        forecast = here.client.get("/v1/forecasts/system").json()
        assert forecast["issue_time"] == here.newest.isoformat().replace("+00:00", "Z")
        assert len(forecast["points"]) == 12
        warm = here.client.post("/v1/what-if", json={"series_id": "system", "temperature_shift_c": 8})
        assert sum(each["change_mw"] for each in warm.json()["points"]) < 0
        pushed = here.client.post("/v1/readings", **arrow_readings(here.newest))
        assert pushed.json() == {"received": 1, "landed": 1, "repeated": 0}
        for name, read in (("xlsx", None), ("parquet", pl.read_parquet), ("csv", pl.read_csv)):
            span = {"start": (here.newest - HOUR).isoformat(), "end": (here.newest + HOUR).isoformat()}
            file = here.client.get("/v1/export/forecasts", params={"format": name, **span})
            assert file.status_code == 200
            assert file.content[:2] == b"PK" if read is None else read(io.BytesIO(file.content)).height > 0
        assert here.client.get("/metrics").status_code == 200

        status = here.container.shell("cat /proc/1/status").stdout
        rights = dict(line.split(":\t", 1) for line in status.splitlines())
        assert rights["Uid"].split("\t") == [str(image.USER)] * 4
        assert int(rights["CapBnd"], 16) == 0
        assert rights["NoNewPrivs"] == "1"
        for place in ("/", "/app", "/etc", "/opt/gridcast/bin"):
            refused = here.container.shell(f"touch {place}/new")
            assert refused.returncode != 0
            assert "Read-only file system" in refused.stderr
        assert here.container.shell("touch /data/new /tmp/new").returncode == 0
        assert here.container.ends_with() == 0


def arrow_readings(newest: datetime) -> dict[str, object]:
    frame = pl.DataFrame([("zone_n", newest + HOUR, 7.0, newest + 2 * HOUR)], schema=READINGS, orient="row")
    body = io.BytesIO()
    frame.select("series_id", "valid_time", "load_mw").write_ipc_stream(body, compat_level=pl.CompatLevel.oldest())
    return {"content": body.getvalue(), "headers": {"Content-Type": "application/vnd.apache.arrow.stream"}}


def test_the_image_does_not_outgrow_what_machines_download_and_keep(api: str, tmp_path: Path) -> None:
    assert image.pulled_bytes(api, tmp_path) < MOST_PULLED
    assert image.inspected(api)["Size"] < MOST_UNPACKED


def test_the_image_holds_the_locked_packages_of_the_service_and_no_other(api: str, tmp_path: Path) -> None:
    with image.container(api, "python", "-c", LIST, data=tmp_path) as container:
        installed = set(container.finished().split())
    assert {"gridcast", "fastapi", "polars", "ai-edge-litert", "psycopg-binary"} <= installed
    assert not installed & {"tensorflow", "tensorflow-cpu", "keras", "apache-beam", "mlflow-skinny", "optuna", "pip"}


LIST = "import importlib.metadata as m; print(*{each.name.lower().replace('_', '-') for each in m.distributions()})"


def test_the_image_says_what_it_is_and_when_it_is_well(api: str) -> None:
    found = image.inspected(api)
    assert found["Config"]["User"] == f"{image.USER}:{image.USER}"
    assert found["Config"]["Cmd"] == ["gridcast", "serve"]
    (health,) = (value for key, value in found.items() if key.lower() == "healthcheck")
    assert health["Test"][:2] == ["CMD", "python"]
    labels = found["Labels"]
    assert labels["org.opencontainers.image.version"] == __version__
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert labels["org.opencontainers.image.base.name"]
