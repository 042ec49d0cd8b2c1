"""API keys are shown once, kept as hashes, and every change to them is in the audit log."""

import contextlib
import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gridcast.domain.errors import UsageError
from gridcast.domain.roles import Role
from gridcast.store import audit, keys
from gridcast.store.keys import Author, NewKey
from gridcast.store.schema import METADATA
from gridcast.store.store import Store

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
BY = Author("root", "local")


@pytest.fixture
def kept(unused_place: Path | str) -> Iterator[Store]:
    with contextlib.closing(Store.open(unused_place)) as store:
        yield store


def made(store: Store, name: str = "control room", **changes: datetime | None) -> NewKey:
    return keys.create(store, name=name, role=Role.OPERATOR, by=BY, at=AT, **changes)


def test_a_key_has_256_random_bits_and_a_mark_to_be_found_by(kept: Store) -> None:
    found = [made(kept).key for _ in range(20)]
    assert all(re.fullmatch(r"gck_[\w-]{43}", key) for key in found)
    assert len(set(found)) == 20


def test_the_key_itself_is_nowhere_in_the_database(kept: Store) -> None:
    new = made(kept)
    with kept.transaction() as connection:
        everything = str([connection.execute(table.select()).all() for table in METADATA.sorted_tables])
    assert new.kept.key_hash in everything
    assert new.key not in everything
    assert new.key.removeprefix("gck_") not in everything
    assert new.kept.key_hash not in repr(new.kept)


def test_a_key_comes_back_as_it_was_made(kept: Store) -> None:
    new = made(kept, expires_at=AT + timedelta(days=365))
    assert keys.all_keys(kept) == [new.kept]
    assert new.kept.key_hash == keys.hash_of(new.key) == hashlib.sha256(new.key.encode()).hexdigest()


def test_a_key_is_active_until_it_expires_or_is_revoked(kept: Store) -> None:
    new = made(kept, expires_at=AT + timedelta(days=1))
    assert new.kept.is_active(AT)
    assert not new.kept.is_active(AT + timedelta(days=1))
    assert keys.active_keys(kept, at=AT) == [new.kept]
    gone = keys.revoke(kept, new.kept.key_id, by=BY, at=AT + timedelta(hours=1))
    assert gone.revoked_at == AT + timedelta(hours=1)
    assert keys.active_keys(kept, at=AT) == []
    assert keys.all_keys(kept) == [gone]


def test_revoking_twice_keeps_the_first_time_and_one_entry(kept: Store) -> None:
    new = made(kept)
    first = keys.revoke(kept, new.kept.key_id, by=BY, at=AT)
    assert keys.revoke(kept, new.kept.key_id, by=BY, at=AT + timedelta(days=1)) == first
    assert [row.action for row in audit.newest(kept, limit=9)] == ["key.revoke", "key.create"]


def test_making_and_revoking_are_in_the_audit_log_without_the_key(kept: Store) -> None:
    new = made(kept)
    keys.revoke(kept, new.kept.key_id, by=Author("ada", "admin"), at=AT)
    revoked, created = audit.newest(kept, limit=9)
    assert (created.actor, created.role, created.target) == ("root", "local", new.kept.key_id)
    assert created.detail == {"name": "control room", "role": "operator", "expires_at": None}
    assert (revoked.actor, revoked.role, revoked.action) == ("ada", "admin", "key.revoke")
    assert new.key not in str((created, revoked))


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "two\nlines", "bell\a", "zero\0"])
def test_a_name_that_cannot_be_read_is_refused(name: str, kept: Store) -> None:
    with pytest.raises(UsageError, match="expected 1 to 100 printable characters"):
        made(kept, name)
    assert keys.all_keys(kept) == []


def test_a_name_that_looks_like_sql_is_a_name(kept: Store) -> None:
    name = "x'); DROP TABLE api_keys; --"
    made(kept, name)
    assert [key.name for key in keys.all_keys(kept)] == [name]


def test_a_key_that_has_expired_already_is_refused(kept: Store) -> None:
    with pytest.raises(UsageError, match="a time to come"):
        made(kept, expires_at=AT)


@pytest.mark.parametrize("key_id", ["nobody", "", "' OR '1'='1"])
def test_revoking_an_unknown_key_says_where_to_look(key_id: str, kept: Store) -> None:
    made(kept)
    with pytest.raises(UsageError, match="gridcast key list"):
        keys.revoke(kept, key_id, by=BY, at=AT)
    assert len(keys.active_keys(kept, at=AT)) == 1
