"""What administrators look after: API keys and the audit log."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from gridcast.app.answers import json_answer
from gridcast.app.documents import AuditEntry, KeyDocument, NewKey
from gridcast.app.errors import NotFoundError
from gridcast.app.parameters import Cursor, Limit, Moment, Page
from gridcast.app.service import Here
from gridcast.domain.roles import Role
from gridcast.store import audit, keys

router = APIRouter(prefix="/v1", tags=["administration"])


class WantedKey(BaseModel):
    """Who the key is for and what it may do."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"name": "grafana", "role": "viewer", "expires_at": None}}
    )

    name: Annotated[str, Field(min_length=1, max_length=keys.LONGEST_NAME)]
    role: Role
    expires_at: Moment | None = None


@router.get("/audit", response_model=Page[AuditEntry])
def audit_log(here: Here, limit: Limit = 100, cursor: Cursor = None) -> Response:
    """Every change and every refusal, newest first; 'gridcast audit verify' checks the chain of hashes."""
    found = audit.newest(here.store, limit=limit + 1, before=cursor)
    following = found[limit - 1].audit_id if len(found) > limit else None
    return json_answer({"items": [_entry(each) for each in found[:limit]], "next": following})


@router.get("/keys", response_model=Page[KeyDocument])
def all_keys(here: Here) -> Response:
    """Every API key, newest first, without the keys themselves."""
    return json_answer({"items": [_described(each) for each in keys.all_keys(here.store)], "next": None})


@router.post("/keys", status_code=201, response_model=NewKey)
def create_key(request: Request, here: Here, wanted: WantedKey) -> Response:
    """A new API key, told this once."""
    made = keys.create(
        here.store,
        name=wanted.name,
        role=wanted.role,
        by=_author(request),
        at=here.clock(),
        expires_at=wanted.expires_at,
    )
    request.app.state.authentication.keys.forget()
    return json_answer({**_described(made.kept), "key": made.key}, status=201)


@router.delete("/keys/{key_id}", response_model=KeyDocument)
def revoke_key(request: Request, here: Here, key_id: Annotated[str, Path(min_length=1, max_length=100)]) -> Response:
    """Let a key open nothing any more, within seconds. It stays in the list."""
    if all(each.key_id != key_id for each in keys.all_keys(here.store)):
        raise NotFoundError(f"key {key_id!r} is not known; expected one of GET /v1/keys.")
    revoked = keys.revoke(here.store, key_id, by=_author(request), at=here.clock())
    request.app.state.authentication.keys.forget()
    return json_answer(_described(revoked))


def _author(request: Request) -> keys.Author:
    principal = request.state.principal
    return keys.Author(principal.name, principal.role)


def _described(key: keys.ApiKey) -> dict[str, Any]:
    names = ("key_id", "name", "role", "created_by", "created_at", "expires_at", "revoked_at")
    return {name: getattr(key, name) for name in names}


def _entry(row: audit.Recorded) -> dict[str, Any]:
    names = ("audit_id", "at", "actor", "role", "action", "target", "detail", "hash")
    return {name: getattr(row, name) for name in names}
