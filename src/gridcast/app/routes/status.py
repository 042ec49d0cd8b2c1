"""How fresh everything is, who is in charge and who asks."""

from datetime import datetime, timedelta
from typing import Any, Final

import polars as pl
from fastapi import APIRouter, Request, Response

from gridcast import __version__
from gridcast.app.answers import json_answer
from gridcast.app.documents import Health, Me, Status
from gridcast.app.service import Here, Service
from gridcast.domain.tables import Layer, Quality
from gridcast.registry.catalogue import CHAMPION, with_alias
from gridcast.store import events as happened
from gridcast.store import summaries
from gridcast.store.monitored_forecasts import forecast_rows
from gridcast.workflows.watching.late_series import late_series

router = APIRouter(prefix="/v1", tags=["status"])

_HOURS: Final = 24
_GREEN, _AMBER = 0.98, 0.90
"""Shares of measured readings from which the light is green, and amber."""


@router.get("/health", response_model=Health)
async def health() -> Response:
    """Whether the process answers."""
    return _json({"status": "ok", "version": __version__})


@router.get("/ready", response_model=Health)
def ready(here: Here) -> Response:
    """Whether the store answers too; otherwise 503."""
    here.store.newest_issue_time()
    return _json({"status": "ready", "version": __version__})


@router.get("/me", response_model=Me)
async def me(request: Request) -> Response:
    """Who asks, and in which role."""
    principal = request.state.principal
    return _json({"name": principal.name, "role": str(principal.role)})


@router.get("/status", response_model=Status)
def status(here: Here) -> Response:
    """Freshness, model in charge, late series and data quality at a glance."""
    now, newest, issued = here.clock(), here.newest_reading(), here.store.newest_issue_time()
    champion = with_alias(here.models(), CHAMPION)
    with here.store.transaction() as connection:
        since = happened.newest(connection, limit=1, kinds=("promoted", "rolled_back"))
        newest_rows = forecast_rows(connection).filter(layer=Layer.MODEL.value)
    document = {
        "now": now,
        "newest_reading": newest,
        "newest_issue_time": issued,
        "reading_age_s": _age(now, newest),
        "issue_age_s": _age(now, issued),
        "model_version": None if champion is None else champion.version,
        "model_since": None if since.is_empty() else since.item(0, "at"),
        "late_series": [] if newest is None else _late(here, newest),
        "degraded_share": 0.0 if newest_rows.is_empty() else newest_rows.item(0, "degraded") or 0.0,
        "quality": _quality(here, newest or now),
    }
    return _json(document)


def _late(here: Service, newest: datetime) -> list[dict[str, Any]]:
    """Series whose newest reading is much older than the newest of all."""
    found, longest = here.newest_readings(), here.settings.status.max_reading_age
    return [
        {"series_id": each, "newest_reading": found.get(each), "age_s": _age(newest, found.get(each))}
        for each in late_series(here.processed().hierarchy, found, at=newest, max_age=longest)
    ]


def _quality(here: Service, newest: datetime) -> dict[str, Any]:
    with here.store.transaction() as connection:
        counts = summaries.quality(
            connection,
            here.processed().hierarchy.ids,
            start=newest - timedelta(hours=_HOURS),
            end=newest + timedelta(microseconds=1),
        )
    total = counts["n"].sum()
    by_flag = dict(counts.group_by("quality").agg(pl.col("n").sum()).iter_rows())
    shares = {each: by_flag.get(each.value, 0) / total if total else 0.0 for each in Quality}
    good = shares[Quality.GOOD] + shares[Quality.EDITED]
    return {
        "light": "green" if good >= _GREEN else "amber" if good >= _AMBER else "red",
        "good_share": good,
        "estimated_share": shares[Quality.ESTIMATED],
        "bad_share": shares[Quality.BAD],
        "missing_share": shares[Quality.MISSING] if total else 1.0,
        "hours": _HOURS,
    }


def _age(now: datetime, moment: datetime | None) -> float | None:
    return None if moment is None else (now - moment).total_seconds()


def _json(document: dict[str, Any]) -> Response:
    return json_answer(document)
