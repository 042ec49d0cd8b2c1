"""The audit log: who did what and who was refused, one chain of hashes that nobody can change unseen."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from gridcast.store.moments import microseconds, moment
from gridcast.store.schema import AUDIT_LOG
from gridcast.store.store import Store

FIRST_HASH: Final = "0" * 64
"""Stands before the first row."""
LONGEST_TEXT: Final = 500
LONGEST_DETAIL: Final = 4000
_LOCK: Final = 7_203_651_003
_ROWS_AT_ONCE: Final = 5_000
_HASHED: Final = ("audit_id", "at", "actor", "role", "action", "target", "detail", "previous_hash")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is written down."""

    at: datetime
    actor: str
    """Name of the caller."""
    role: str
    """The caller's role, `none` where nobody was recognised, `local` for the command line."""
    action: str
    target: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One row of the log."""

    audit_id: int
    at: datetime
    actor: str
    role: str
    action: str
    target: str
    detail: Mapping[str, Any]
    hash: str


class Head(NamedTuple):
    """The end of the chain; published elsewhere, it shows when rows at the end were cut off."""

    audit_id: int
    hash: str


class Verification(NamedTuple):
    """What checking the chain found."""

    rows: int
    """Rows that hold together, from the first on."""
    head: Head
    """Of those rows."""
    fault: str | None
    """What is wrong behind them."""


def append(store: Store, entry: Entry) -> Head:
    """Write one entry at the end of the chain."""
    with store.transaction() as connection:
        return append_in(connection, entry)


def append_in(connection: sa.Connection, entry: Entry) -> Head:
    """The same as part of a transaction, so that a change and its entry are written both or not at all.

    Until that transaction ends no other entry is written, in any process.
    """
    lock(connection)
    last = _head(connection)
    row: dict[str, Any] = {
        "audit_id": last.audit_id + 1,
        "at": microseconds(entry.at),
        **{name: _plain(getattr(entry, name), LONGEST_TEXT) for name in ("actor", "role", "action", "target")},
        "detail": _detail(entry.detail),
        "previous_hash": last.hash,
    }
    row["hash"] = hash_of(row)
    connection.execute(sa.insert(AUDIT_LOG), row)
    return Head(row["audit_id"], row["hash"])


def head(store: Store) -> Head:
    """The end of the chain as it is now."""
    with store.transaction() as connection:
        return _head(connection)


def newest(
    store: Store, *, limit: int, before: int | None = None, prefix: str = "", target: str | None = None
) -> list[Recorded]:
    """Up to `limit` rows, newest first: those before an id, whose action begins so, and about one target."""
    query = sa.select(AUDIT_LOG).order_by(AUDIT_LOG.c.audit_id.desc()).limit(limit)
    if before is not None:
        query = query.where(AUDIT_LOG.c.audit_id < before)
    if prefix:
        query = query.where(AUDIT_LOG.c.action.startswith(prefix, autoescape=True))
    if target is not None:
        query = query.where(AUDIT_LOG.c.target == target)
    with store.transaction() as connection:
        return [_recorded(dict(row)) for row in connection.execute(query).mappings()]


def verify(store: Store, *, published: Head | None = None) -> Verification:
    """Follow the chain from its first row; the first row that does not fit is named.

    Args:
        store: holds the log.
        published: an earlier end of the chain, kept where this database's administrators cannot change it.
    """
    last, is_found = Head(0, FIRST_HASH), published is None or published.audit_id == 0
    for row in _in_order(store):
        fault = _fault(row, last)
        if fault is not None:
            return Verification(last.audit_id, last, fault)
        last = Head(row["audit_id"], row["hash"])
        if published is not None and last.audit_id == published.audit_id:
            if last.hash != published.hash:
                return Verification(last.audit_id - 1, last, f"row {last.audit_id}: is not the one that was published")
            is_found = True
    if not is_found and published is not None:
        fault = f"row {last.audit_id + 1}: missing, the published log went on to row {published.audit_id}"
        return Verification(last.audit_id, last, fault)
    return Verification(last.audit_id, last, None)


def hash_of(row: Mapping[str, Any]) -> str:
    """SHA-256 over the columns of a row, as JSON with sorted keys and without spaces, the previous hash among them."""
    text = json.dumps({name: row[name] for name in _HASHED}, sort_keys=True, separators=(",", ":"), default=repr)
    return hashlib.sha256(text.encode()).hexdigest()


def _fault(row: Mapping[str, Any], last: Head) -> str | None:
    number = row["audit_id"]
    if number != last.audit_id + 1:
        return f"row {last.audit_id + 1}: missing, row {number} comes next"
    if row["previous_hash"] != last.hash:
        return f"row {number}: does not follow the row before it"
    return None if row["hash"] == hash_of(row) else f"row {number}: was changed after it was written"


def _in_order(store: Store) -> Iterator[Mapping[str, Any]]:
    after = None
    while True:
        query = sa.select(AUDIT_LOG).order_by(AUDIT_LOG.c.audit_id).limit(_ROWS_AT_ONCE)
        with store.transaction() as connection:
            rows = connection.execute(query if after is None else query.where(AUDIT_LOG.c.audit_id > after)).mappings()
            block = [dict(row) for row in rows]
        yield from block
        if len(block) < _ROWS_AT_ONCE:
            return
        after = block[-1]["audit_id"]


def _head(connection: sa.Connection) -> Head:
    query = sa.select(AUDIT_LOG.c.audit_id, AUDIT_LOG.c.hash).order_by(AUDIT_LOG.c.audit_id.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return Head(0, FIRST_HASH) if row is None else Head(row[0], row[1])


def lock(connection: sa.Connection) -> None:
    """From here to the end of the transaction nobody else appends."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    elif not getattr(connection.connection.driver_connection, "in_transaction", False):
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _recorded(row: Mapping[str, Any]) -> Recorded:
    kept = {name: row[name] for name in ("audit_id", "actor", "role", "action", "target", "hash")}
    return Recorded(**kept, at=moment(row["at"]), detail=_read(row["detail"]))


def _read(detail: str) -> Mapping[str, Any]:
    """What was kept; a row that somebody spoiled is shown all the same."""
    try:
        found = json.loads(detail)
    except ValueError:
        return {"unreadable": detail}
    return found if isinstance(found, dict) else {"unreadable": detail}


def _plain(text: str, longest: int) -> str:
    """A text that every database takes and no terminal obeys: what cannot be printed is replaced, too much cut off."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text[:longest])


def _detail(detail: Mapping[str, Any]) -> str:
    text = json.dumps(dict(detail), sort_keys=True, separators=(",", ":"), default=str)
    return text if len(text) <= LONGEST_DETAIL else json.dumps({"cut": text[: LONGEST_DETAIL // 2]})
