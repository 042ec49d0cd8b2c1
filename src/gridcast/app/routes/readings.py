"""Clean readings, and readings that programs push: all rows of a push land, or none."""

from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Header, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from gridcast.app.answers import json_answer, rows_of
from gridcast.app.documents import Landed, ReadingsOfSeries
from gridcast.app.errors import BadRequestError, ConflictError
from gridcast.app.parameters import Moment, SeriesId, require_span
from gridcast.app.pushed import MEDIA_TYPES, parsed, rows_refused
from gridcast.app.service import Here
from gridcast.store.as_of import FAR_FUTURE
from gridcast.workflows.readings.push_readings import ReusedKeyError, UnknownSeriesError, push_readings

router = APIRouter(prefix="/v1/readings", tags=["readings"])

_LONGEST: Final = timedelta(days=31)
_DEFAULT: Final = timedelta(days=2)
_EXAMPLE: Final = {
    "readings": [{"series_id": "zone_01", "valid_time": "2008-06-30T07:00:00Z", "load_mw": 14.2}],
}
_ROW: Final = {
    "type": "object",
    "required": ["series_id", "valid_time", "load_mw"],
    "properties": {
        "series_id": {"type": "string", "maxLength": 200},
        "valid_time": {"type": "string", "format": "date-time", "description": "Start of the interval."},
        "load_mw": {"type": ["number", "null"], "description": "Mean power over the interval; null: missing."},
        "available_at": {"type": "string", "format": "date-time", "description": "When it was received."},
    },
}
_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["readings"],
                    "properties": {"readings": {"type": "array", "items": _ROW}},
                },
                "example": _EXAMPLE,
            },
            "text/csv": {
                "schema": {"type": "string"},
                "example": "series_id,valid_time,load_mw\nzone_01,2008-06-30T07:00Z,14.2\n",
            },
            "application/vnd.apache.arrow.stream": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


@router.get("/{series_id}", response_model=ReadingsOfSeries)
def readings(
    here: Here,
    series_id: SeriesId,
    start: Annotated[Moment | None, Query(description="First valid time. [default: 2 days before the end]")] = None,
    end: Annotated[Moment | None, Query(description="The first behind. [default: behind the newest reading]")] = None,
    as_of: Annotated[Moment | None, Query(description="As they were known then, before later corrections.")] = None,
) -> Response:
    """Clean readings of a series, at most of 31 days."""
    here.series(series_id)
    newest = here.newest_reading() or here.clock()
    start, end = here.span(start, end, length=_DEFAULT, until=newest + timedelta(microseconds=1))
    require_span(start, end, longest=_LONGEST)
    found = here.store.readings_as_of(as_of or FAR_FUTURE, start=start, end=end, series_id=series_id)
    points = rows_of(found.drop("series_id"))
    return json_answer({"series_id": series_id, "points": points})


@router.post("", response_model=Landed, openapi_extra=_BODY)
async def push(
    request: Request,
    here: Here,
    idempotency_key: Annotated[
        str | None,
        Header(min_length=8, max_length=200, description="The same push with the same key lands once."),
    ] = None,
) -> Response:
    """Push readings of measured series: all of them land, or none and the answer names the rows that are wrong.

    A reading whose load equals that of the newest one of its series and interval is repeated, and not kept again.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in MEDIA_TYPES:
        raise BadRequestError(f"content type {kind[:100]!r}; expected one of {', '.join(MEDIA_TYPES)}.")
    body = await request.body()
    return await run_in_threadpool(_land, here, request.state.principal.name, kind, body, idempotency_key)


def _land(here: Here, actor: str, kind: str, body: bytes, idempotency_key: str | None) -> Response:
    now = here.clock()
    rows = parsed(body, kind=kind, now=now, most=here.settings.service.limits.upload_rows)
    try:
        landed = push_readings(
            here.store,
            rows,
            body=body,
            measured=here.processed().hierarchy.leaves,
            actor=actor,
            idempotency_key=idempotency_key,
            at=now,
        )
    except ReusedKeyError as error:
        raise ConflictError(str(error)) from error
    except UnknownSeriesError as error:
        raise rows_refused(error.rows) from error
    return json_answer({"received": rows.height, "landed": landed, "repeated": rows.height - landed})
