"""Every route of the real service, with every role and without one: who is let through, and who is not."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from support.guarded import asked

from gridcast.app.application import create_app
from gridcast.app.guard.access import ACCESS, PUBLIC
from gridcast.app.service import Service
from gridcast.domain.roles import Role
from gridcast.settings.app import AppSettings
from gridcast.store import audit, keys
from gridcast.store.store import Store
from gridcast.workflows.readings.workspace import Workspace

ROUTES = [pytest.param(method, path, id=f"{method} {path}") for method, path in ACCESS]
SQL_LOOKING = "x' OR '1'='1"
REFUSED = {401, 403}


@dataclass
class Real:
    """The real service over an empty store, and a key for each role."""

    app: FastAPI
    store: Store
    keys: dict[Role, str]
    revoked: str
    expired: str

    def status(self, method: str, path: str, key: str | None = None) -> int:
        return int(self.start(method, path, key)["status"])

    def start(self, method: str, path: str, key: str | None = None) -> dict[str, Any]:
        """How the answer starts; an answer without end is not waited for."""
        return asyncio.run(_start(self.app, method, path, key))


async def _start(app: FastAPI, method: str, path: str, key: str | None) -> dict[str, Any]:
    started: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
    bodies = [{"type": "http.request", "body": b"{}", "more_body": False}]

    async def receive() -> dict[str, Any]:
        if bodies:
            return bodies.pop()
        await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start" and not started.done():
            started.set_result(message)

    headers = [(b"content-type", b"application/json"), (b"host", b"gridcast.test")]
    if key is not None:
        headers.append((b"authorization", f"Bearer {key}".encode()))
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "method": method,
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": headers,
        "client": ("192.0.2.7", 50000), "server": ("gridcast.test", 80),
    }  # fmt: skip
    answering = asyncio.ensure_future(app(scope, receive, send))
    await asyncio.wait({answering, started}, return_when=asyncio.FIRST_COMPLETED, timeout=30)
    answering.cancel()
    with contextlib.suppress(asyncio.CancelledError, Exception):
        await answering
    return await started


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    folder = tmp_path_factory.mktemp("matrix")
    now = datetime.now(UTC)
    by = keys.Author("test", "local")
    with contextlib.closing(Store.open(folder / "gridcast.db")) as store:
        made = {role: keys.create(store, name=role, role=role, by=by, at=now).key for role in Role}
        gone = keys.create(store, name="gone", role=Role.ADMIN, by=by, at=now)
        keys.revoke(store, gone.kept.key_id, by=by, at=now)
        old = keys.create(
            store, name="old", role=Role.ADMIN, by=by, at=now - timedelta(days=9), expires_at=now - timedelta(days=2)
        )
        limits = {"requests_per_minute": 100_000, "failed_authentications_per_minute": 100_000}
        settings = AppSettings.model_validate({"data_dir": folder, "service": {"limits": limits}})
        app = create_app(Service(store, Workspace(folder), settings))
        yield Real(app, store, made, gone.key, old.key)


def filled(template: str, value: str = "zone_04") -> str:
    return "/".join(value if part.startswith("{") else part for part in template.split("/"))


def test_the_table_names_the_routes_of_the_service_and_no_others(real: Real) -> None:
    routes = {
        (method, context.path)
        for context in iter_route_contexts(real.app.routes)
        for method in context.methods or {"any"}
    }
    assert routes == set(ACCESS)


@pytest.mark.parametrize(("method", "template"), ROUTES)
@pytest.mark.parametrize("role", [None, *Role])
def test_a_route_lets_through_whom_the_table_says(role: Role | None, method: str, template: str, real: Real) -> None:
    need = ACCESS[method, template]
    status = real.status(method, filled(template), None if role is None else real.keys[role])
    if need == PUBLIC:
        assert status not in REFUSED
    elif role is None:
        assert status == 401
    elif role.covers(Role(need)):
        assert status not in REFUSED
        assert status != 500
    else:
        assert status == 403


@pytest.mark.parametrize(("method", "template"), [route for route in ROUTES if ACCESS[route.values] != PUBLIC])  # type: ignore[index]
def test_no_route_believes_a_key_that_is_forged_revoked_or_expired(method: str, template: str, real: Real) -> None:
    forged = real.keys[Role.ADMIN][:-1] + ("A" if real.keys[Role.ADMIN][-1] != "A" else "B")
    for key in (forged, real.revoked, real.expired, "gck_", "eyJhbGciOiJub25lIn0.eyJyb2xlcyI6ImFkbWluIn0."):
        assert real.status(method, filled(template), key) == 401


@pytest.mark.parametrize(("method", "template"), [route for route in ROUTES if "{" in str(route.values[1])])
def test_an_identifier_that_looks_like_sql_finds_nothing_and_breaks_nothing(
    method: str, template: str, real: Real
) -> None:
    assert real.status(method, filled(template, SQL_LOOKING), real.keys[Role.ADMIN]) in {404, 409, 422}
    assert len(keys.active_keys(real.store, at=datetime.now(UTC))) == len(Role)


@pytest.mark.parametrize(("method", "template"), ROUTES)
def test_every_answer_carries_the_headers_of_protection(method: str, template: str, real: Real) -> None:
    headers = [name for name, _ in real.start(method, filled(template), real.keys[Role.ADMIN])["headers"]]
    for name in (b"content-security-policy", b"x-content-type-options", b"referrer-policy", b"cache-control"):
        assert headers.count(name) == (
            1 if name != b"cache-control" or template.startswith("/v1") else headers.count(name)
        )
    assert b"server" not in headers


def test_every_change_and_refusal_above_is_in_a_log_that_holds_together(real: Real) -> None:
    before = audit.head(real.store).audit_id
    real.status("POST", "/v1/what-if", real.keys[Role.OPERATOR])
    real.status("DELETE", "/v1/overrides/x", real.keys[Role.OPERATOR])
    changes = audit.newest(real.store, limit=audit.head(real.store).audit_id - before)
    assert [row.action for row in changes] == ["DELETE /v1/overrides/{override_id}", "POST /v1/what-if"]
    assert audit.verify(real.store).fault is None


def test_a_key_made_over_the_api_works_until_it_is_revoked_there(real: Real) -> None:
    admin = {"Authorization": f"Bearer {real.keys[Role.ADMIN]}"}
    made = asyncio.run(
        asked(real.app, "POST", "/v1/keys", admin, "192.0.2.7", {"json": {"name": "x", "role": "viewer"}})
    )
    key, key_id = made.json()["key"], made.json()["key_id"]
    listed = asyncio.run(asked(real.app, "GET", "/v1/keys", admin, "192.0.2.7", {}))
    assert key_id in listed.text
    assert key not in listed.text
    assert _within_5_s(lambda: real.status("GET", "/v1/me", key) == 200)
    gone = asyncio.run(asked(real.app, "DELETE", f"/v1/keys/{key_id}", admin, "192.0.2.7", {}))
    assert gone.json()["revoked_at"] is not None
    assert _within_5_s(lambda: real.status("GET", "/v1/me", key) == 401)


def _within_5_s(is_so: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 5
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
