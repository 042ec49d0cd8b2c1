"""Bodies have a limit, and every answer carries the same protection."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from support.guarded import guarded, in_parts

from gridcast.app.guard.body_limit import BodyLimit
from gridcast.domain.roles import Role

LIMIT = 1000
JSON = {"Content-Type": "application/json"}


def test_a_body_up_to_the_limit_is_taken(tmp_path: Path) -> None:
    with guarded(tmp_path, limits={"body_bytes": LIMIT}) as service:
        key = service.key(Role.ENGINEER)
        assert service.ask("/v1/readings", method="POST", key=key, content=b"x" * LIMIT).json() == {"received": LIMIT}
        parts = in_parts(b"x" * 100, times=10)
        assert service.ask("/v1/readings", method="POST", key=key, content=parts).json() == {"received": LIMIT}


@pytest.mark.parametrize("path", ["/v1/readings", "/v1/overrides"])
def test_a_longer_body_is_refused_whether_its_length_is_declared_or_not(path: str, tmp_path: Path) -> None:
    with guarded(tmp_path, limits={"body_bytes": LIMIT}) as service:
        key = service.key(Role.ENGINEER)
        declared = service.ask(path, method="POST", key=key, content=b"x" * (LIMIT + 1), headers=JSON)
        streamed = service.ask(path, method="POST", key=key, content=in_parts(b"x" * 100, times=11), headers=JSON)
    for answer in (declared, streamed):
        assert answer.status_code == 413
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert "1,000 bytes" in answer.json()["detail"]


def test_an_endless_body_is_not_read_to_its_end() -> None:
    taken = 0

    async def swallow(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["more_body"]:
            pass

    async def endless() -> dict[str, object]:
        nonlocal taken
        taken += 1
        return {"type": "http.request", "body": b"x" * 100, "more_body": True}

    said: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        said.append(message)

    scope = {"type": "http", "method": "POST", "path": "/v1/readings", "headers": [(b"content-length", b"lots")]}
    asyncio.run(BodyLimit(swallow, most_bytes=LIMIT)(scope, endless, send))  # type: ignore[arg-type]
    assert taken == LIMIT // 100 + 1
    assert said[0]["status"] == 413
    assert json.loads(said[1]["body"])["status"] == 413


ALWAYS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", "/v1/health", 200, id="public"),
        pytest.param("GET", "/v1/me", 200, id="asked with a key"),
        pytest.param("GET", "/v1/broken", 500, id="our own fault"),
        pytest.param("GET", "/v1/nothing", 404, id="unknown"),
        pytest.param("PUT", "/v1/me", 405, id="wrong method"),
        pytest.param("POST", "/v1/overrides", 403, id="refused"),
    ],
)
def test_every_answer_carries_the_headers_of_protection(method: str, path: str, status: int, tmp_path: Path) -> None:
    with guarded(tmp_path) as service:
        answer = service.ask(path, method=method, key=service.key(Role.VIEWER))
    assert answer.status_code == status
    assert {name: answer.headers[name] for name in ALWAYS} == ALWAYS
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert not {"server", "x-powered-by", "access-control-allow-origin", "set-cookie"} & set(answer.headers)


def test_a_fault_of_our_own_tells_nothing_of_itself(tmp_path: Path) -> None:
    with guarded(tmp_path) as service:
        answer = service.ask("/v1/broken", key=service.key())
    assert answer.status_code == 500
    assert "hunter2" not in answer.text
    assert "Traceback" not in answer.text


def test_browsers_are_kept_on_https_only_where_it_is_spoken(tmp_path: Path) -> None:
    with guarded(tmp_path) as plain:
        assert "strict-transport-security" not in plain.ask("/v1/health").headers
    with guarded(tmp_path, behind_tls_proxy=True) as encrypted:
        assert encrypted.ask("/v1/health").headers["strict-transport-security"].startswith("max-age=")


def test_other_origins_are_let_in_only_by_name(tmp_path: Path) -> None:
    asked = {"Origin": "https://scada.example", "Access-Control-Request-Method": "GET"}
    with guarded(tmp_path) as closed:
        refused = closed.ask("/v1/me", method="OPTIONS", headers=asked)
        assert refused.status_code == 405
        assert "access-control-allow-origin" not in refused.headers
    with guarded(tmp_path, cors_origins=["https://scada.example"]) as opened:
        allowed = opened.ask("/v1/me", method="OPTIONS", headers=asked)
        assert allowed.headers["access-control-allow-origin"] == "https://scada.example"
        assert "access-control-allow-credentials" not in allowed.headers
        other = opened.ask("/v1/me", method="OPTIONS", headers={**asked, "Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers


def test_a_service_with_trusted_hosts_answers_to_no_other_name(tmp_path: Path) -> None:
    with guarded(tmp_path, trusted_hosts=["grid.example"]) as service:
        assert service.ask("/v1/health", headers={"Host": "grid.example"}).status_code == 200
        refused = service.ask("/v1/health", headers={"Host": "evil.example"})
        assert refused.status_code == 400
        assert refused.headers["x-content-type-options"] == "nosniff"
