"""What goes wrong as `application/problem+json` (RFC 9457): the one place that chooses a status."""

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from gridcast.app.answers import PROBLEM_TYPE, problem_bytes
from gridcast.app.errors import RequestError
from gridcast.domain.errors import GridcastError, UsageError
from gridcast.store.errors import StoreError

_LOG = logging.getLogger(__name__)
_MOST_SHOWN = 20


class Problem(BaseModel):
    """Why a request was not done. `detail`: what was received, what was expected, what to do."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"additionalProperties": True})

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str


def problem(request: Request, *, status: int, detail: str, more: Mapping[str, Any] | None = None) -> Response:
    """An answer that says what is wrong."""
    body = problem_bytes(status=status, detail=detail, path=request.url.path, more=more)
    return Response(body, status_code=status, media_type=PROBLEM_TYPE)


def answer_problems(app: FastAPI) -> None:
    """Let every failure of an app be answered as a problem; nothing of an unknown one is told."""
    app.add_exception_handler(RequestError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _by_framework)
    app.add_exception_handler(StoreError, _store_failed)
    app.add_exception_handler(UsageError, _unusable)
    app.add_exception_handler(GridcastError, _impossible)
    app.add_exception_handler(Exception, _unknown)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)  # noqa: S101 - FastAPI hands over what was registered
    return problem(request, status=error.status, detail=str(error), more=error.more)


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    found = [{"where": ".".join(map(str, each["loc"])), "what": each["msg"]} for each in error.errors()]
    detail = "; ".join(f"{each['where']}: {each['what']}" for each in found[:_MOST_SHOWN])
    return problem(request, status=422, detail=detail, more={"errors": found[:_MOST_SHOWN]})


def _by_framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    answer = problem(request, status=error.status_code, detail=str(error.detail))
    answer.headers.update(error.headers or {})
    return answer


def _store_failed(request: Request, error: Exception) -> Response:
    _LOG.error("%s %s: %s", request.method, request.url.path, error)
    return problem(request, status=503, detail="The store does not answer; try again later.")


def _unusable(request: Request, error: Exception) -> Response:
    return problem(request, status=422, detail=str(error))


def _impossible(request: Request, error: Exception) -> Response:
    return problem(request, status=409, detail=str(error))


def _unknown(request: Request, error: Exception) -> Response:
    _LOG.error("%s %s", request.method, request.url.path, exc_info=error)
    return problem(request, status=500, detail="Something went wrong here; it has been logged.")
