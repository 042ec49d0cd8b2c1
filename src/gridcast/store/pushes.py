"""Readings that a program pushes: landed once for each idempotency key, with the answer that was given."""

from datetime import datetime
from typing import Final

import sqlalchemy as sa

from gridcast.store import schema
from gridcast.store.moments import microseconds

_PUSHES = schema.PUSHES.c
_CLAIM: Final = sa.text(
    "INSERT INTO pushes (actor, idempotency_key, request_hash, answer, at) VALUES (:actor, :key, :hash, '', :at) "
    "ON CONFLICT DO NOTHING"
)


def claim(connection: sa.Connection, *, actor: str, idempotency_key: str, request_hash: str, at: datetime) -> bool:
    """Take an actor's key for what was sent; False: it was taken before. Others that ask for it wait meanwhile."""
    values = {"actor": actor, "key": idempotency_key, "hash": request_hash, "at": microseconds(at)}
    return bool(connection.execute(_CLAIM, values).rowcount)


def answered(connection: sa.Connection, *, actor: str, idempotency_key: str) -> tuple[str, str]:
    """The hash of what was sent with a key that is taken, and the answer."""
    query = sa.select(_PUSHES.request_hash, _PUSHES.answer).where(*_is(actor, idempotency_key))
    request_hash, answer = connection.execute(query).one()
    return str(request_hash), str(answer)


def answer(connection: sa.Connection, text: str, *, actor: str, idempotency_key: str) -> None:
    """Keep the answer to what was sent with a key."""
    connection.execute(sa.update(schema.PUSHES).where(*_is(actor, idempotency_key)).values(answer=text))


def _is(actor: str, idempotency_key: str) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return _PUSHES.actor == actor, _PUSHES.idempotency_key == idempotency_key
