"""Forecasts: the newest, as issued at a time, and the freshest at some lead; and the peaks they lead to."""

import contextlib
import enum
from datetime import datetime, timedelta
from typing import Annotated, Final

import polars as pl
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from gridcast.app.answers import json_answer, json_bytes, rows_json, rows_of, text_of
from gridcast.app.documents import ForecastDocument, PeaksOfSeries
from gridcast.app.errors import BadRequestError, NotFoundError
from gridcast.app.newest import Answer, NewestForecasts
from gridcast.app.parameters import Lead, Moment, SeriesId, require_span
from gridcast.app.service import Here, Service
from gridcast.domain.errors import GridcastError
from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.domain.tables import FORECASTS, Layer
from gridcast.evaluation.overrides import effective
from gridcast.models.tensorflow.artefact import read_manifest
from gridcast.store import as_of as archive
from gridcast.store.marks import Mark
from gridcast.workflows.judging.issued_peaks import issued_peaks

router = APIRouter(prefix="/v1/forecasts", tags=["forecasts"])

_LONGEST: Final = timedelta(days=31)
_POINT: Final = ("valid_time", "issue_time", "layer", "model_version", *QUANTILE_COLUMNS, "degraded_because")


class Wanted(enum.StrEnum):
    """Whose forecast: the operator's where there is one, else the model's; or one of them."""

    EFFECTIVE = "effective"
    MODEL = "model"
    OPERATOR = "operator"
    SHADOW = "shadow"


@router.get("/{series_id}", response_model=ForecastDocument)
async def forecast(
    request: Request,
    here: Here,
    series_id: SeriesId,
    layer: Wanted = Wanted.EFFECTIVE,
    issued_at: Annotated[Moment | None, Query(description="The forecast that was the newest then.")] = None,
    as_of: Annotated[Moment | None, Query(description="Only what had been issued by then.")] = None,
    lead_at_least: Annotated[
        Lead | None, Query(description="For each interval the newest issued so long before it, such as PT24H.")
    ] = None,
    start: Annotated[Moment | None, Query(description="First valid time.")] = None,
    end: Annotated[Moment | None, Query(description="The first valid time behind.")] = None,
) -> Response:
    """A forecast with its quantiles: the newest; as issued at a time; or for each interval the freshest at some lead.

    `start` and `end` bound the valid times. With `lead_at_least` they may be up to 31 days apart.
    """
    is_plain = all(each is None for each in (issued_at, as_of, lead_at_least, start, end))
    if is_plain:
        return _sent(request.headers, await _newest(here, series_id, layer))
    answer = await run_in_threadpool(_answer, here, series_id, layer, issued_at or as_of, lead_at_least, start, end)
    return _sent(request.headers, answer)


@router.get("/{series_id}/peaks", response_model=PeaksOfSeries)
def peaks(here: Here, series_id: SeriesId) -> Response:
    """Size and hour of the peak of each whole local day ahead, and how likely it exceeds the limit of the series."""
    here.series(series_id)
    settings = here.settings.peaks
    days = issued_peaks(
        here.store,
        here.processed(),
        series_ids=[series_id],
        limits=settings.limits,
        correlation_of=lambda version: read_manifest(here.model(version).directory).lead_correlation,
    )
    shown = days.select(
        "date",
        peak_p10="p10",
        peak_p50="p50",
        peak_p90="p90",
        peak_hour="likely_hour",
        limit_mw="limit_mw",
        probability_above_limit="p_exceed",
        is_alarm=(pl.col("p_exceed") >= settings.alarm_threshold).fill_null(value=False),
    )
    issue_time = None if days.is_empty() else days.item(0, "issue_time")
    return json_answer({"series_id": series_id, "issue_time": issue_time, "days": rows_of(shown)})


async def _newest(here: Service, series_id: str, layer: Wanted) -> Answer:
    """The answer at hand, or made anew: one after the other, so that those that are at hand need not wait."""
    async with here.newest.making:
        mark, begun = here.changes.mark, here.newest.forgotten
        found = here.newest.at_hand(series_id, layer)
        if found is None:
            found = await run_in_threadpool(_answer, here, series_id, layer, None, None, None, None)
            here.newest.keep(series_id, layer, found, mark=mark, begun=begun)
        return found


def renew(here: Service, mark: Mark) -> None:
    """Make the answers that were asked for lately anew, so that nobody has to wait for them under a new mark."""
    coming, begun = {}, here.newest.forgotten
    for series_id, layer in here.newest.asked_lately():
        with contextlib.suppress(GridcastError):
            coming[series_id, layer] = _answer(here, series_id, Wanted(layer), None, None, None, None)
    here.newest.keep_for(coming, mark=mark, begun=begun)


def _answer(
    here: Service,
    series_id: str,
    layer: Wanted,
    at: datetime | None,
    lead_at_least: timedelta | None,
    start: datetime | None,
    end: datetime | None,
) -> Answer:
    here.series(series_id)
    if start is not None and end is not None:
        require_span(start, end, longest=_LONGEST)
    if lead_at_least is None:
        rows = _of_run(here, series_id, at=at)
    else:
        if start is None or end is None:
            raise BadRequestError("lead_at_least was given without start and end; expected both.")
        beside = Layer.SHADOW if layer is Wanted.SHADOW else Layer.OPERATOR
        rows = _freshest(here, series_id, beside=beside, start=start, end=end, at=at, lead=lead_at_least)
    rows = rows if start is None else rows.filter(pl.col("valid_time") >= start)
    rows = rows if end is None else rows.filter(pl.col("valid_time") < end)
    chosen = effective(rows) if layer is Wanted.EFFECTIVE else rows.filter(layer=layer.value)
    newest = None if chosen.is_empty() else chosen.row(chosen["issue_time"].arg_max() or 0, named=True)
    document = {
        "series_id": series_id,
        "issue_time": None if newest is None else text_of(newest["issue_time"]),
        "model_version": None if newest is None else newest["model_version"],
        "layer": layer.value,
        "unit": "MW",
    }
    return Answer(json_bytes(document)[:-1] + b',"points":' + rows_json(chosen.select(_POINT)) + b"}")


def _of_run(here: Service, series_id: str, *, at: datetime | None) -> pl.DataFrame:
    """Every layer of the newest forecast, or of the one that was the newest at a time."""
    with here.store.transaction() as connection:
        issue_time = archive.issue_time_at(
            connection, series_id, at=archive.FAR_FUTURE if at is None else at, layer=Layer.MODEL
        )
        if issue_time is None:
            by = "" if at is None else f" by {text_of(at)}"
            raise NotFoundError(
                f'series {series_id!r}: no forecast was issued{by}; run "gridcast forecast" or ask for one of a later '
                "time."
            )
        return archive.issued(connection, series_id, issue_time=issue_time)


def _freshest(
    here: Service,
    series_id: str,
    *,
    beside: Layer,
    start: datetime,
    end: datetime,
    at: datetime | None,
    lead: timedelta,
) -> pl.DataFrame:
    """For each interval its freshest model forecast, and what the layer `beside` said at the same issue time."""
    with here.store.transaction() as connection:
        model, other = (
            archive.freshest(
                connection,
                series_id,
                start=start,
                end=end,
                as_of=at or archive.FAR_FUTURE,
                lead_at_least=lead,
                layer=each,
            )
            for each in (Layer.MODEL, beside)
        )
    same = other.join(model, on=["issue_time", "valid_time"], how="semi")
    return pl.concat([FORECASTS.to_frame(), model, same]).sort("valid_time")


class AtHand:
    """Answers the plain question for the newest forecast of a series itself, where the answer is at hand."""

    def __init__(self, app: ASGIApp, *, newest: NewestForecasts) -> None:
        self._app, self._newest = app, newest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the route do it."""
        if scope["type"] == "http" and scope["method"] == "GET" and not scope["query_string"]:
            before, _, series_id = scope["path"].rpartition("/")
            if before == router.prefix and (found := self._newest.at_hand(series_id, Wanted.EFFECTIVE)):
                await _sent(Headers(scope=scope), found)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _sent(headers: Headers, answer: Answer) -> Response:
    """The answer, packed if the caller takes it, or nothing if the caller has it."""
    told = {"ETag": answer.etag, "Cache-Control": "private, no-cache", "Vary": "Accept-Encoding, Authorization"}
    if headers.get("if-none-match") == answer.etag:
        return Response(status_code=304, headers=told)
    if "gzip" in headers.get("accept-encoding", ""):
        told["Content-Encoding"] = "gzip"
        return Response(answer.packed(), media_type="application/json", headers=told)
    return Response(answer.body, media_type="application/json", headers=told)
