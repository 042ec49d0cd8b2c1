"""API keys: made once, shown once, kept as hashes."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from gridcast.domain.errors import UsageError
from gridcast.domain.roles import Role
from gridcast.store import audit
from gridcast.store.moments import microseconds, moment, moment_or_none
from gridcast.store.schema import API_KEYS
from gridcast.store.store import Store

PREFIX: Final = "gck_"
"""Every key begins so: programs that search for leaked secrets find it."""
LONGEST_NAME: Final = 100
_SECRET_BYTES: Final = 32


class Author(NamedTuple):
    """Who asks for a change."""

    name: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """What is known of one key."""

    key_id: str
    name: str
    role: Role
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    key_hash: str = field(repr=False)

    def is_active(self, at: datetime) -> bool:
        """Whether it lets anybody in."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)


class NewKey(NamedTuple):
    """A key that was just made."""

    key: str
    """The key itself, which is kept nowhere."""
    kept: ApiKey


def create(
    store: Store, *, name: str, role: Role, by: Author, at: datetime, expires_at: datetime | None = None
) -> NewKey:
    """A new key of 256 random bits, and the entry in the audit log that says who made it.

    Raises:
        UsageError: the name cannot be one, or the key would have expired already.
    """
    _check(name, at=at, expires_at=expires_at)
    key = PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    kept = ApiKey(
        key_id=secrets.token_hex(6),
        name=name,
        role=role,
        created_by=by.name,
        created_at=at,
        expires_at=expires_at,
        revoked_at=None,
        key_hash=hash_of(key),
    )
    with store.transaction() as connection:
        audit.append_in(connection, _entry(kept, "key.create", by=by, at=at))
        connection.execute(sa.insert(API_KEYS), _row(kept))
    return NewKey(key, kept)


def revoke(store: Store, key_id: str, *, by: Author, at: datetime) -> ApiKey:
    """The key, which lets nobody in any more; revoking it again changes nothing.

    Raises:
        UsageError: there is no such key.
    """
    with store.transaction() as connection:
        audit.lock(connection)
        kept = _find(connection, key_id)
        if kept.revoked_at is not None:
            return kept
        audit.append_in(connection, _entry(kept, "key.revoke", by=by, at=at))
        change = sa.update(API_KEYS).where(API_KEYS.c.key_id == key_id).values(revoked_at=microseconds(at))
        connection.execute(change)
        return _find(connection, key_id)


def all_keys(store: Store) -> list[ApiKey]:
    """Every key there ever was, newest first."""
    query = sa.select(API_KEYS).order_by(API_KEYS.c.created_at.desc(), API_KEYS.c.key_id)
    with store.transaction() as connection:
        return [_key(dict(row)) for row in connection.execute(query).mappings()]


def active_keys(store: Store, *, at: datetime) -> list[ApiKey]:
    """The keys that let somebody in."""
    return [key for key in all_keys(store) if key.is_active(at)]


def hash_of(key: str) -> str:
    """What is kept of a key. A fast hash will do: nobody can try 256 random bits."""
    return hashlib.sha256(key.encode()).hexdigest()


def _check(name: str, *, at: datetime, expires_at: datetime | None) -> None:
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise UsageError(
            f"the name of a key is {name[:LONGEST_NAME]!r}; expected 1 to {LONGEST_NAME} printable characters that say "
            "who uses it."
        )
    if expires_at is not None and expires_at <= at:
        raise UsageError(f"the key would have expired at {expires_at:%Y-%m-%d %H:%MZ}; expected a time to come.")


def _find(connection: sa.Connection, key_id: str) -> ApiKey:
    row = connection.execute(sa.select(API_KEYS).where(API_KEYS.c.key_id == key_id)).mappings().one_or_none()
    if row is None:
        raise UsageError(f"there is no key {key_id[:50]!r}; 'gridcast key list' shows their key_id.")
    return _key(dict(row))


def _entry(key: ApiKey, action: str, *, by: Author, at: datetime) -> audit.Entry:
    detail = {"name": key.name, "role": key.role, "expires_at": key.expires_at and key.expires_at.isoformat()}
    return audit.Entry(at=at, actor=by.name, role=by.role, action=action, target=key.key_id, detail=detail)


def _row(key: ApiKey) -> dict[str, Any]:
    times = {
        name: None if (value := getattr(key, name)) is None else microseconds(value)
        for name in ("created_at", "expires_at", "revoked_at")
    }
    return {name: str(getattr(key, name)) for name in ("key_id", "name", "role", "key_hash", "created_by")} | times


def _key(row: Mapping[str, Any]) -> ApiKey:
    return ApiKey(
        key_id=row["key_id"],
        name=row["name"],
        role=Role(row["role"]),
        created_by=row["created_by"],
        created_at=moment(row["created_at"]),
        expires_at=moment_or_none(row["expires_at"]),
        revoked_at=moment_or_none(row["revoked_at"]),
        key_hash=row["key_hash"],
    )
