"""Registered models, promotions, and everything else that happened."""

from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Response

from gridcast.app.answers import finite, json_answer, rows_of
from gridcast.app.documents import Event, ModelDocument
from gridcast.app.parameters import Cursor, Limit, Moment, Page
from gridcast.app.service import Here
from gridcast.registry.catalogue import RegisteredModel
from gridcast.store import events as happened
from gridcast.workflows.lifecycle.model_history import Step

router = APIRouter(prefix="/v1", tags=["models"])

_STEPS: Final = (*(each.value for each in Step), "model_took_over", "model_refused", "shadow_refused")


@router.get("/models", response_model=Page[ModelDocument])
def models(here: Here) -> Response:
    """Every registered model, newest first, with what it was made from and what was measured on it."""
    items = [_described(each) for each in reversed(here.models())]
    return json_answer({"items": items, "next": None})


@router.get("/models/{version}", response_model=ModelDocument)
def model(
    here: Here,
    version: Annotated[str, Path(max_length=100, description="A version number, or an alias such as champion.")],
) -> Response:
    """One registered model."""
    return json_answer(_described(here.model(version)))


@router.get("/promotions", response_model=Page[Event])
def promotions(here: Here, limit: Limit = 100, cursor: Cursor = None) -> Response:
    """What became of models: trained, refused, approved, on trial, put in charge, rolled back; newest first."""
    return _page(here, kinds=_STEPS, limit=limit, cursor=cursor)


@router.get("/events", response_model=Page[Event])
def events(
    here: Here,
    kind: Annotated[str | None, Query(max_length=100, description="Only of this kind.")] = None,
    as_of: Annotated[Moment | None, Query(description="Only what had happened by then.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """What happened, newest first."""
    return _page(here, kinds=None if kind is None else (kind,), limit=limit, cursor=cursor, as_of=as_of)


def _page(
    here: Here, *, kinds: tuple[str, ...] | None, limit: int, cursor: int | None, as_of: datetime | None = None
) -> Response:
    with here.store.transaction() as connection:
        found = happened.newest(connection, limit=limit + 1, before_id=cursor, kinds=kinds, until=as_of)
    page = found.head(limit)
    following = page.item(-1, "event_id") if found.height > limit else None
    return json_answer({"items": rows_of(page), "next": following})


def _described(model: RegisteredModel) -> dict[str, Any]:
    return {
        "version": model.version,
        "created_at": model.created_at,
        "aliases": list(model.aliases),
        "params": dict(model.params),
        "metrics": finite(model.metrics),
        "tags": dict(model.tags),
    }
