"""A small real app behind the real gate, asked without a network in between."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI, Request
from pydantic import BaseModel

from gridcast.app.guard.access import PUBLIC, AccessRules
from gridcast.app.guard.authentication import Authentication
from gridcast.app.guard.protection import protect
from gridcast.app.guard.trail import Trail
from gridcast.app.problems import answer_problems
from gridcast.domain.roles import Role
from gridcast.settings.service import ServiceSettings
from gridcast.store import keys
from gridcast.store.store import Store

RULES = {
    ("GET", "/v1/health"): PUBLIC,
    ("GET", "/v1/me"): Role.VIEWER,
    ("GET", "/v1/broken"): Role.VIEWER,
    ("GET", "/v1/series/{series_id}"): Role.VIEWER,
    ("POST", "/v1/overrides"): Role.OPERATOR,
    ("POST", "/v1/readings"): Role.ENGINEER,
}


class Wanted(BaseModel):
    value: float


@dataclass
class Guarded:
    """The app, its store and whoever has a key to it."""

    app: FastAPI
    store: Store
    authentication: Authentication
    trail: Trail

    def key(self, role: Role = Role.VIEWER, name: str = "somebody", **more: Any) -> str:
        made = keys.create(
            self.store, name=name, role=role, by=keys.Author("test", "local"), at=datetime.now(UTC), **more
        )
        self.authentication.keys.forget()
        return made.key

    def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        address: str = "192.0.2.7",
        **content: Any,
    ) -> httpx.Response:
        """The answer to one request."""
        bearer = {} if key is None else {"Authorization": f"Bearer {key}"}
        return asyncio.run(asked(self.app, method, path, {**bearer, **(headers or {})}, address, content))


async def asked(
    app: Any, method: str, path: str, headers: Mapping[str, str], address: str, content: Mapping[str, Any]
) -> httpx.Response:
    transport = httpx.ASGITransport(app, client=(address, 50000), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gridcast.test") as client:
        return await client.request(method, path, headers=dict(headers), **content)


@contextlib.contextmanager
def guarded(folder: Path, *, place: Path | str | None = None, **settings: Any) -> Iterator[Guarded]:
    """An app that runs as the service does: one public route, some for roles, one that is in no table."""
    with contextlib.closing(Store.open(place or folder / "gridcast.db")) as store:
        service = ServiceSettings.model_validate(settings)
        authentication, trail = Authentication(store, service), Trail(store)
        app = routes()
        answer_problems(app)
        protect(app, settings=service, authentication=authentication, trail=trail, rules=AccessRules(RULES))
        yield Guarded(app, store, authentication, trail)


def routes() -> FastAPI:
    app = FastAPI(openapi_url=None)

    @app.get("/v1/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/v1/me")
    async def me(request: Request) -> dict[str, str]:
        principal = request.state.principal
        return {"name": principal.name, "role": principal.role, "subject": principal.subject}

    @app.get("/v1/series/{series_id}")
    async def series(series_id: str) -> dict[str, str]:
        return {"series_id": series_id}

    @app.get("/v1/broken")
    async def broken() -> None:
        raise RuntimeError("the password is hunter2")

    @app.get("/v1/forgotten")
    async def forgotten() -> dict[str, str]:
        return {"secret": "nobody thought of a role for this route"}

    @app.post("/v1/overrides")
    async def override(wanted: Wanted) -> dict[str, float]:
        return {"value": wanted.value}

    @app.post("/v1/readings")
    async def push(request: Request) -> dict[str, int]:
        length = 0
        async for part in request.stream():
            length += len(part)
        return {"received": length}

    return app


async def in_parts(part: bytes, *, times: int) -> AsyncIterator[bytes]:
    """A body of unknown length."""
    for _ in range(times):
        yield part
