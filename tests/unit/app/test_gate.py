"""Who gets through the gate to which route, by key, role, rate and table."""

import asyncio
import contextlib
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.guarded import Guarded, guarded

from gridcast.app.guard import key_ring
from gridcast.app.guard.authentication import Authentication
from gridcast.domain.errors import UsageError
from gridcast.domain.roles import Role
from gridcast.settings.service import ServiceSettings
from gridcast.store import keys
from gridcast.store.store import Store

BY = keys.Author("test", "local")
SQL_LOOKING = "x' OR '1'='1'; DROP TABLE api_keys; --"


def test_a_public_route_answers_everybody(tmp_path: Path) -> None:
    with guarded(tmp_path) as service:
        assert service.ask("/v1/health").json() == {"status": "ok"}


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="none"),
        pytest.param({"Authorization": "Bearer "}, id="empty"),
        pytest.param({"Authorization": "Bearer gck_wrong"}, id="unknown key"),
        pytest.param({"Authorization": "Basic YTpi"}, id="another scheme"),
        pytest.param({"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."}, id="a token where no provider is set"),
        pytest.param({"Authorization": f"Bearer gck_{SQL_LOOKING}"}, id="SQL as a key"),
        pytest.param({"X-API-Key": "gck_" + "x" * 20_000}, id="a very long key"),
        pytest.param({"X-API-Key": "gck_\xff\xfe"}, id="no text"),
        pytest.param({"Cookie": "key=gck_x"}, id="a cookie"),
    ],
)
def test_without_a_credential_that_holds_nobody_gets_in(headers: dict[str, str], tmp_path: Path) -> None:
    with guarded(tmp_path) as service:
        service.key(Role.ADMIN)
        raw = {name: value.encode("latin-1") for name, value in headers.items()}
        refused = service.ask("/v1/me", headers=raw)  # type: ignore[arg-type]
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.json()["status"] == 401


def test_a_key_is_taken_as_a_bearer_and_in_its_own_header(tmp_path: Path) -> None:
    with guarded(tmp_path) as service:
        key = service.key(Role.OPERATOR, name="control room")
        for headers in ({"Authorization": f"Bearer {key}"}, {"authorization": f"bearer  {key}"}, {"X-API-Key": key}):
            answer = service.ask("/v1/me", headers=headers)
            assert answer.json()["name"] == "control room"
            assert answer.json()["role"] == "operator"


def test_two_credentials_at_once_are_refused(tmp_path: Path) -> None:
    with guarded(tmp_path) as service:
        key = service.key(Role.ADMIN)
        assert service.ask("/v1/me", key=key, headers={"X-API-Key": key}).status_code == 401


def test_a_key_in_the_address_is_not_looked_at(tmp_path: Path) -> None:
    with guarded(tmp_path) as service:
        key = service.key(Role.ADMIN)
        assert service.ask(f"/v1/me?api_key={key}&access_token={key}").status_code == 401


@pytest.mark.parametrize(
    ("role", "expected"),
    [(Role.VIEWER, 403), (Role.OPERATOR, 403), (Role.ENGINEER, 200), (Role.ADMIN, 200)],
)
def test_a_route_lets_its_role_and_higher_ones_through(role: Role, expected: int, tmp_path: Path) -> None:
    with guarded(tmp_path) as service:
        answer = service.ask("/v1/readings", method="POST", key=service.key(role), content=b"rows")
    assert answer.status_code == expected
    if expected == 403:
        assert answer.json()["detail"] == f"the role is {role}; expected engineer or higher."


def test_a_route_that_the_table_does_not_name_is_refused_to_everybody(tmp_path: Path) -> None:
    with guarded(tmp_path) as service:
        answer = service.ask("/v1/forgotten", key=service.key(Role.ADMIN))
    assert answer.status_code == 404
    assert "secret" not in answer.text


def test_a_method_that_is_not_used_is_told_with_those_that_are(tmp_path: Path) -> None:
    with guarded(tmp_path) as service:
        answer = service.ask("/v1/me", method="DELETE", key=service.key(Role.ADMIN))
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET"


def test_a_stranger_is_refused_before_his_body_is_looked_at(tmp_path: Path) -> None:
    with guarded(tmp_path) as service:
        viewer = service.key(Role.VIEWER)
        broken = {"content": b"{", "headers": {"Content-Type": "application/json"}}
        assert service.ask("/v1/overrides", method="POST", **broken).status_code == 401
        assert service.ask("/v1/overrides", method="POST", key=viewer, **broken).status_code == 403


def test_identifiers_that_look_like_sql_are_plain_text(tmp_path: Path) -> None:
    with guarded(tmp_path) as service:
        key = service.key(Role.VIEWER, name=SQL_LOOKING)
        assert service.ask(f"/v1/series/{SQL_LOOKING}", key=key).json() == {"series_id": SQL_LOOKING}
        assert service.ask("/v1/me", key=key).json()["name"] == SQL_LOOKING
        assert len(keys.all_keys(service.store)) == 1


def test_a_revoked_key_lets_nobody_in_within_five_seconds_and_at_once_where_it_was_revoked(tmp_path: Path) -> None:
    assert key_ring.FRESH_S < 5
    with guarded(tmp_path) as service:
        key = service.key(Role.VIEWER)
        assert service.ask("/v1/me", key=key).status_code == 200
        (kept,) = keys.all_keys(service.store)
        keys.revoke(service.store, kept.key_id, by=BY, at=datetime.now(UTC))
        service.authentication.keys.forget()
        assert service.ask("/v1/me", key=key).status_code == 401


def test_the_keys_are_read_again_when_they_are_no_longer_fresh(tmp_path: Path) -> None:
    now = 100.0
    store = Store.open(tmp_path / "gridcast.db")
    ring = key_ring.KeyRing(store, clock=lambda: now)
    new = keys.create(store, name="a", role=Role.VIEWER, by=BY, at=datetime.now(UTC))
    assert asyncio.run(ring.find(new.key)) == new.kept
    keys.revoke(store, new.kept.key_id, by=BY, at=datetime.now(UTC))
    now += key_ring.FRESH_S - 0.1
    assert asyncio.run(ring.find(new.key)) == new.kept
    now += 0.2
    assert asyncio.run(ring.find(new.key)) is None
    store.close()


def test_a_new_key_works_within_a_second_and_guesses_do_not_wear_out_the_database(tmp_path: Path) -> None:
    now = 100.0
    with contextlib.closing(Store.open(tmp_path / "gridcast.db")) as store:
        ring = key_ring.KeyRing(store, clock=lambda: now)
        assert asyncio.run(ring.find("gck_guess")) is None
        new = keys.create(store, name="a", role=Role.VIEWER, by=BY, at=datetime.now(UTC))
        now += key_ring.NEW_S - 0.1
        assert asyncio.run(ring.find(new.key)) is None
        now += 0.2
        assert asyncio.run(ring.find(new.key)) == new.kept


def test_while_the_database_does_not_answer_nobody_is_let_in_and_it_is_left_in_peace(tmp_path: Path) -> None:
    with guarded(tmp_path) as service:
        key = service.key()
        assert service.ask("/v1/me", key=key).status_code == 200
        with contextlib.closing(sqlite3.connect(tmp_path / "gridcast.db")) as database:
            database.execute("ALTER TABLE api_keys RENAME TO gone")
            service.authentication.keys.forget()
            assert service.ask("/v1/me", key=key).status_code == 503
            database.execute("ALTER TABLE gone RENAME TO api_keys")
        assert service.ask("/v1/me", key=key).status_code == 503
        assert service.ask("/v1/health").status_code == 200
        asyncio.run(asyncio.sleep(1.0))
        assert service.ask("/v1/me", key=key).status_code == 200


def test_an_expired_key_lets_nobody_in(tmp_path: Path) -> None:
    with guarded(tmp_path) as service:
        key = service.key(Role.VIEWER, expires_at=datetime.now(UTC) + timedelta(milliseconds=300))
        assert service.ask("/v1/me", key=key).status_code == 200
        asyncio.run(asyncio.sleep(0.3))
        assert service.ask("/v1/me", key=key).status_code == 401


def test_who_asks_too_often_is_told_when_to_come_back_and_others_are_not_held_up(tmp_path: Path) -> None:
    with guarded(tmp_path, limits={"requests_per_minute": 5}) as service:
        eager, calm = service.key(name="eager"), service.key(name="calm")
        answers = [service.ask("/v1/me", key=eager) for _ in range(6)]
        assert [each.status_code for each in answers] == [200] * 5 + [429]
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 12
        assert service.ask("/v1/me", key=calm).status_code == 200


def test_public_routes_are_counted_by_address(tmp_path: Path) -> None:
    with guarded(tmp_path, limits={"requests_per_minute": 2}) as service:
        statuses = [service.ask("/v1/health", address="198.51.100.1").status_code for _ in range(3)]
        assert statuses == [200, 200, 429]
        assert service.ask("/v1/health", address="198.51.100.2").status_code == 200


def test_guessing_is_slowed_down_without_shutting_out_who_has_a_key(tmp_path: Path) -> None:
    with guarded(tmp_path, limits={"failed_authentications_per_minute": 3}) as service:
        key = service.key()
        guesses = [service.ask("/v1/me", key=f"gck_{number}").status_code for number in range(5)]
        assert guesses == [401, 401, 401, 429, 429]
        assert service.ask("/v1/me", key=key).status_code == 200
        assert service.ask("/v1/me", key="gck_x", address="198.51.100.9").status_code == 401


def test_a_service_that_would_let_nobody_in_does_not_start(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "gridcast.db")
    with pytest.raises(UsageError, match="gridcast key create --role admin --name"):
        Authentication.create(store, ServiceSettings())
    old = keys.create(store, name="old", role=Role.ADMIN, by=BY, at=datetime.now(UTC))
    keys.revoke(store, old.kept.key_id, by=BY, at=datetime.now(UTC))
    with pytest.raises(UsageError):
        Authentication.create(store, ServiceSettings())
    keys.create(store, name="new", role=Role.ADMIN, by=BY, at=datetime.now(UTC))
    Authentication.create(store, ServiceSettings())
    store.close()


def test_a_websocket_is_closed_at_the_gate(tmp_path: Path) -> None:
    async def knock(service: Guarded) -> list[object]:
        said: list[object] = []

        async def receive() -> dict[str, str]:
            return {"type": "websocket.connect"}

        async def send(message: object) -> None:
            said.append(message)

        await service.app({"type": "websocket", "path": "/v1/me", "headers": []}, receive, send)  # type: ignore[arg-type]
        return said

    with guarded(tmp_path) as service:
        assert asyncio.run(knock(service)) == [{"type": "websocket.close", "code": 1008}]
