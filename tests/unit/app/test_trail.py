"""Every change and every refusal is in the audit log, however often somebody is refused."""

import asyncio
import contextlib
import sqlite3
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from support.guarded import asked, guarded

from gridcast.app.guard.refusals import Unauthenticated
from gridcast.app.guard.trail import Trail
from gridcast.domain.roles import Role
from gridcast.store import audit
from gridcast.store.audit import Recorded
from gridcast.store.store import Store


def requests(store: Store) -> list[Recorded]:
    """What the service wrote, oldest first; not the keys that the test made."""
    return [row for row in reversed(audit.newest(store, limit=1000)) if row.action != "key.create"]


def test_a_change_is_recorded_with_who_what_and_the_answer(tmp_path: Path) -> None:
    with guarded(tmp_path) as service:
        key = service.key(Role.OPERATOR, name="ada")
        service.ask("/v1/overrides", method="POST", key=key, json={"value": 1})
        service.ask("/v1/overrides", method="POST", key=key, json={"value": "x"})
        done, failed = requests(service.store)
    assert (done.actor, done.role, done.action, done.target) == (
        "ada",
        "operator",
        "POST /v1/overrides",
        "/v1/overrides",
    )
    assert done.detail["status"] == 200
    assert done.detail["subject"].startswith("key:")
    assert done.detail["address"] == "192.0.2.7"
    assert failed.detail["status"] == 422


def test_reading_leaves_no_trace(tmp_path: Path) -> None:
    with guarded(tmp_path) as service:
        service.ask("/v1/me", key=service.key())
        assert requests(service.store) == []


def test_a_refusal_is_recorded_without_the_credential(tmp_path: Path) -> None:
    with guarded(tmp_path) as service:
        viewer = service.key(Role.VIEWER, name="eve")
        service.ask("/v1/readings", method="POST", key=viewer, content=b"")
        service.ask("/v1/me", key="gck_stolen_and_spoiled")
        forbidden, unknown = requests(service.store)
    assert (forbidden.actor, forbidden.role, forbidden.action) == ("eve", "viewer", "refused POST")
    assert (forbidden.target, forbidden.detail["status"]) == ("/v1/readings", 403)
    assert (unknown.actor, unknown.role, unknown.detail["status"]) == ("nobody", "none", 401)
    assert "stolen" not in str(unknown)


def test_an_attacker_writes_few_rows_and_none_of_his_attempts_is_lost(tmp_path: Path) -> None:
    with guarded(tmp_path, limits={"failed_authentications_per_minute": 100_000}) as service:
        for number in range(200):
            service.ask(f"/v1/me?{number}", key="gck_guess", address="198.51.100.66")
        asyncio.run(service.trail.flush())
        rows = requests(service.store)
    assert 2 <= len(rows) <= 4
    again = [row for row in rows if row.action == "refused again"]
    assert {row.target for row in again} == {"198.51.100.66"}
    assert sum(row.detail["count"] for row in again) + len(rows) - len(again) == 200


def test_who_is_known_and_refused_again_and_again_is_named(tmp_path: Path) -> None:
    with guarded(tmp_path) as service:
        viewer = service.key(Role.VIEWER, name="eve")
        for _ in range(5):
            service.ask("/v1/readings", method="POST", key=viewer, content=b"")
        asyncio.run(service.trail.flush())
        rows = requests(service.store)
    assert {row.actor for row in rows} == {"eve"}
    assert sum(row.detail.get("count", 1) for row in rows) == 5


def test_what_a_stranger_asks_for_cannot_give_orders_to_a_terminal(tmp_path: Path) -> None:
    with guarded(tmp_path) as service:
        service.ask("/v1/series/%1b%5d0;title%07%0d%0aforged")
        (row,) = requests(service.store)
    assert row.target == "/v1/series/\ufffd]0;title\ufffd\ufffd\ufffdforged"


def test_attackers_with_many_addresses_do_not_fill_the_log_either(tmp_path: Path) -> None:
    now = datetime(2026, 1, 1, 12, 0, 30, tzinfo=UTC)
    with contextlib.closing(Store.open(tmp_path / "gridcast.db")) as store:
        trail = Trail(store, clock=lambda: now)
        refusal = Unauthenticated("no", is_given=True)
        scope: dict[str, Any] = {"method": "GET", "path": "/v1/me"}

        async def attack() -> None:
            for number in range(3000):
                await trail.refused(scope, refusal, None, address=f"2001:db8::{number:x}")

        asyncio.run(attack())
        now += timedelta(minutes=1)
        asyncio.run(trail.refused(scope, refusal, None, address="192.0.2.1"))
        rows = requests(store)
    assert len(rows) <= 121
    counted = sum(row.detail.get("count", 1) for row in rows)
    assert counted == 3001


def test_while_writers_have_to_wait_readers_do_not(tmp_path: Path) -> None:
    with guarded(tmp_path) as service, contextlib.closing(sqlite3.connect(tmp_path / "gridcast.db")) as database:
        key = service.key(Role.VIEWER)
        database.isolation_level = None
        database.execute("BEGIN IMMEDIATE")

        async def crowd() -> tuple[float, list[int]]:
            nobody: dict[str, Any] = {}
            refused = [
                asyncio.create_task(asked(service.app, "GET", "/v1/me", nobody, f"192.0.2.{number}", {}))
                for number in range(40)
            ]
            await asyncio.sleep(0.3)
            began = time.monotonic()
            answer = await asked(service.app, "GET", "/v1/me", {"X-API-Key": key}, "192.0.2.200", {})
            assert answer.status_code == 200
            took = time.monotonic() - began
            database.execute("COMMIT")
            return took, [each.status_code for each in await asyncio.gather(*refused)]

        took, statuses = asyncio.run(crowd())
        assert took < 1
        assert statuses == [401] * 40
        assert len(requests(service.store)) == 40


def test_without_a_written_trace_no_change_is_reported_as_done(tmp_path: Path) -> None:
    with guarded(tmp_path) as service:
        key = service.key(Role.OPERATOR)
        assert service.ask("/v1/me", key=key).status_code == 200
        with contextlib.closing(sqlite3.connect(tmp_path / "gridcast.db")) as database:
            database.execute("ALTER TABLE audit_log RENAME TO gone")
        answer = service.ask("/v1/overrides", method="POST", key=key, json={"value": 1})
        assert answer.status_code == 503
        assert "audit log" in answer.json()["detail"]
        assert service.ask("/v1/me", key="gck_x").status_code == 401
