"""The series, their tree, and how fresh each is."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from gridcast.app.answers import json_answer
from gridcast.app.documents import SeriesDocument
from gridcast.app.parameters import Cursor, Limit, Page, SeriesId
from gridcast.app.service import Here, Service
from gridcast.domain.series import Level, Series
from gridcast.store.runs import newest_issues

router = APIRouter(prefix="/v1/series", tags=["series"])


@router.get("", response_model=Page[SeriesDocument])
def all_series(
    here: Here,
    level: Annotated[Level | None, Query(description="Only series of this level.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """Every series in the order of definition, with the parents it is summed into."""
    chosen = [each for each in here.processed().hierarchy.series if level is None or each.level is level]
    first = cursor or 0
    page = chosen[first : first + limit]
    following = first + limit if first + limit < len(chosen) else None
    return json_answer({"items": _described(here, page), "next": following})


@router.get("/{series_id}", response_model=SeriesDocument)
def one_series(here: Here, series_id: SeriesId) -> Response:
    """One series."""
    return json_answer(_described(here, [here.series(series_id)])[0])


def _described(here: Service, series: list[Series]) -> list[dict[str, Any]]:
    ids = [each.series_id for each in series]
    with here.store.transaction() as connection:
        issues = newest_issues(connection, ids)
    readings = here.newest_readings()
    return [
        {
            "series_id": each.series_id,
            "level": each.level.value,
            "time_zone": each.time_zone,
            "parents": [
                {"parent_id": step.parent_id, "since": step.since, "until": step.until} for step in each.memberships
            ],
            "newest_reading": readings.get(each.series_id),
            "newest_issue_time": issues.get(each.series_id),
        }
        for each in series
    ]
