"""Frames and values as JSON bytes: times in ISO 8601 with Z, what is no number as null."""

import json
import math
from collections.abc import Mapping
from datetime import date, datetime
from http import HTTPStatus
from typing import Any, Final

import polars as pl
from fastapi import Response

PROBLEM_TYPE: Final = "application/problem+json"
_TIME: Final = "%Y-%m-%dT%H:%M:%S%.fZ"


def rows_json(frame: pl.DataFrame) -> bytes:
    """The rows of a frame as a JSON list."""
    return _plain_frame(frame).write_json().encode()


def rows_of(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame, ready to be dumped."""
    return _plain_frame(frame).to_dicts()


def text_of(moment: datetime | None) -> str | None:
    """A moment, UTC, as it stands in answers."""
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def json_bytes(value: object) -> bytes:
    """A value of mappings, lists, texts, numbers and times."""
    return json.dumps(value, default=_plain, allow_nan=False, separators=(",", ":"), ensure_ascii=False).encode()


def json_answer(value: object, *, status: int = HTTPStatus.OK) -> Response:
    """The answer to a request for such a value."""
    return Response(json_bytes(value), status_code=status, media_type="application/json")


def problem_bytes(*, status: int, detail: str, path: str, more: Mapping[str, Any] | None = None) -> bytes:
    """Why a request to a path was not done (RFC 9457), with further members."""
    facts = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return json_bytes({**facts, "instance": path, **(more or {})})


def finite(numbers: Mapping[str, float]) -> dict[str, float | None]:
    """Numbers by name, those that are none as null."""
    return {name: value if math.isfinite(value) else None for name, value in numbers.items()}


def _plain_frame(frame: pl.DataFrame) -> pl.DataFrame:
    times = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Datetime)]
    numbers = [name for name, kind in frame.schema.items() if kind.is_float()]
    finite = (pl.when(pl.col(each).is_finite()).then(each) for each in numbers)
    return frame.with_columns(*(pl.col(each).dt.strftime(_TIME) for each in times), *finite)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return text_of(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")
