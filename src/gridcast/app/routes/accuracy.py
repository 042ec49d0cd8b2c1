"""How good forecasts were, and how good the readings are."""

from datetime import timedelta
from typing import Annotated, Final

import polars as pl
from fastapi import APIRouter, Query, Response

from gridcast.app.answers import json_answer, rows_of
from gridcast.app.documents import Accuracy, QualityShare
from gridcast.app.parameters import Moment, Page, require_span
from gridcast.app.service import Here
from gridcast.store import summaries
from gridcast.store.monitored_forecasts import live_scores

router = APIRouter(prefix="/v1", tags=["accuracy"])

_LONGEST: Final = timedelta(days=400)
_DEFAULT: Final = timedelta(days=28)
_Series = Annotated[str | None, Query(max_length=200, description="Only this series.")]
_Start = Annotated[Moment | None, Query(description="From then on. [default: 28 days before the end]")]


@router.get("/accuracy", response_model=Page[Accuracy])
def accuracy(
    here: Here,
    series_id: _Series = None,
    start: _Start = None,
    end: Annotated[Moment | None, Query(description="Issued before. [default: now]")] = None,
) -> Response:
    """Scores of the forecasts issued in a time, by series, layer and lead bucket, where their actuals are in."""
    if series_id is not None:
        here.series(series_id)
    newest = here.newest_issue_time() + timedelta(microseconds=1)
    start, end = here.span(start, end, length=_DEFAULT, until=newest)
    require_span(start, end, longest=_LONGEST)
    with here.store.transaction() as connection:
        found = live_scores(connection, None if series_id is None else [series_id], start=start, end=end)
    told = found.select(list(Accuracy.model_fields))
    return json_answer({"items": rows_of(told), "next": None})


@router.get("/quality", response_model=Page[QualityShare])
def quality(
    here: Here,
    series_id: _Series = None,
    start: _Start = None,
    end: Annotated[Moment | None, Query(description="Readings before. [default: behind the newest]")] = None,
) -> Response:
    """How many clean readings of each series carry which flag."""
    wanted = here.processed().hierarchy.ids if series_id is None else [here.series(series_id).series_id]
    newest = here.newest_reading() or here.clock()
    start, end = here.span(start, end, length=_DEFAULT, until=newest + timedelta(microseconds=1))
    require_span(start, end, longest=_LONGEST)
    with here.store.transaction() as connection:
        found = summaries.quality(connection, wanted, start=start, end=end)
    shares = found.with_columns(share=pl.col("n") / pl.col("n").sum().over("series_id"))
    return json_answer({"items": rows_of(shares), "next": None})
