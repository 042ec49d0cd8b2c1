"""Operators overrule forecasts, with a reason, and see whether that helped."""

import uuid
from datetime import timedelta
from typing import Annotated, Final

import polars as pl
from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from gridcast.app.answers import json_answer, rows_of
from gridcast.app.documents import OverrideDocument, OverrideScore
from gridcast.app.errors import BadRequestError, NotFoundError
from gridcast.app.parameters import Cursor, Limit, Moment, Page, Text
from gridcast.app.service import Here, Service
from gridcast.domain.tables import OVERRIDES, Operation
from gridcast.store import overrides as kept_overrides
from gridcast.workflows.forecasts.operators import help_of_override, overrule, withdraw

router = APIRouter(prefix="/v1/overrides", tags=["overrides"])

_LONGEST: Final = timedelta(days=31)
_LARGEST: Final = 1e6
_OverrideId = Annotated[str, Path(min_length=1, max_length=100, description="The override.")]


class NewOverride(BaseModel):
    """What is to be set in place of the forecasts of a series for the intervals of start ≤ time < end."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "series_id": "system",
                "start": "2008-06-30T18:00:00Z",
                "end": "2008-06-30T22:00:00Z",
                "operation": "add",
                "value": 60.0,
                "reason": "Stadium event in the evening",
            }
        },
    )

    series_id: Text
    start: Moment
    end: Moment
    operation: Operation
    value: Annotated[
        float,
        Field(
            strict=True,
            allow_inf_nan=False,
            ge=-_LARGEST,
            le=_LARGEST,
            description="MW; of `scale` a factor above 0.",
        ),
    ]
    reason: Annotated[str, Field(min_length=3, max_length=1000)]
    expires_at: Annotated[
        Moment | None, Field(description="Forecasts issued from then on are not changed. [default: `end`]")
    ] = None

    @model_validator(mode="after")
    def _makes_sense(self) -> "NewOverride":
        if not self.start < self.end <= self.start + _LONGEST:
            raise ValueError("expected start before end, at most 31 days apart")
        if self.operation is Operation.SCALE and not 0 < self.value <= 10:
            raise ValueError("expected a factor above 0 and up to 10 to scale by")
        return self


@router.get("", response_model=Page[OverrideDocument])
def overrides(
    here: Here,
    series_id: Annotated[str | None, Query(max_length=200, description="Only of this series.")] = None,
    active: Annotated[bool, Query(description="Only those that change the newest forecast or later ones.")] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """Overrides, newest first."""
    at = here.store.newest_issue_time() if active else None
    with here.store.transaction() as connection:
        found = kept_overrides.kept(connection, series_id=series_id, in_force_at=at).reverse()
    found = found.filter(pl.col("withdrawn_at").is_null()) if active else found
    first = cursor or 0
    following = first + limit if first + limit < found.height else None
    page = rows_of(found.slice(first, limit))
    return json_answer({"items": page, "next": following})


@router.post("", status_code=201, response_model=OverrideDocument)
def add_override(request: Request, here: Here, wanted: NewOverride) -> Response:
    """Overrule the newest forecast of a series, and those that follow until it expires, in the caller's name."""
    here.series(wanted.series_id)
    now = here.clock()
    row = pl.DataFrame(
        {
            "override_id": [str(uuid.uuid4())],
            **{name: [value] for name, value in wanted.model_dump(exclude={"operation", "expires_at"}).items()},
            "operation": [wanted.operation.value],
            "author": [request.state.principal.name],
            "created_at": [now],
            "expires_at": [wanted.expires_at or wanted.end],
            "withdrawn_at": [None],
            "withdrawn_by": [None],
        },
        schema_overrides=dict(OVERRIDES),
    ).select(OVERRIDES.names())
    newest = here.store.newest_issue_time()
    if newest is not None and row.item(0, "expires_at") <= newest:
        raise BadRequestError(
            f"the override expires at {row.item(0, 'expires_at'):%Y-%m-%dT%H:%MZ}, before the newest forecast was "
            f"issued ({newest:%Y-%m-%dT%H:%MZ}), so it would change nothing; expected a later end or expires_at."
        )
    overrule(here.store, row)
    here.newest.forget()
    return json_answer(rows_of(row)[0], status=201)


@router.delete("/{override_id}", response_model=OverrideDocument)
def withdraw_override(request: Request, here: Here, override_id: _OverrideId) -> Response:
    """Let an override count no longer, from the newest forecast on. It stays in the list."""
    _found(here, override_id)
    gone = withdraw(here.store, override_id, at=here.clock(), by=request.state.principal.name)
    here.newest.forget()
    return json_answer(rows_of(gone)[0])


@router.get("/{override_id}/score", response_model=OverrideScore)
def override_score(here: Here, override_id: _OverrideId) -> Response:
    """Did it help? Mean absolute errors of the model and of the operator, on what has been measured since."""
    help_ = help_of_override(here.store, _found(here, override_id))
    added = help_.value_added_mw
    document = {
        "override_id": override_id,
        "n": help_.n,
        "model_mae_mw": help_.model_mae_mw,
        "operator_mae_mw": help_.operator_mae_mw,
        "value_added_mw": added,
        "helped": None if added is None else added > 0,
    }
    return json_answer(document)


def _found(here: Service, override_id: str) -> pl.DataFrame:
    with here.store.transaction() as connection:
        found = kept_overrides.kept(connection, override_id=override_id)
    if found.is_empty():
        raise NotFoundError(f"override {override_id!r} is not known; expected one of GET /v1/overrides.")
    return found
