"""What if it were hotter, or something happened? Forecasts under other circumstances, which nobody keeps."""

from datetime import timedelta
from typing import Annotated, Final

import polars as pl
from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from gridcast.app.answers import json_answer, rows_of
from gridcast.app.documents import WhatIf
from gridcast.app.errors import NotFoundError
from gridcast.app.parameters import Day, Moment, Text
from gridcast.app.service import Here
from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.domain.tables import Layer
from gridcast.store import as_of as archive
from gridcast.workflows.forecasts.what_if import Circumstances, PlannedEvent, known_to_store, what_if

router = APIRouter(prefix="/v1/what-if", tags=["what-if"])

_MOST_TEMPERATURES: Final = 2_016
_Celsius = Annotated[float, Field(strict=True, ge=-90, le=70, allow_inf_nan=False)]


class Temperature(BaseModel):
    """A temperature of every station, °C, over an interval."""

    model_config = ConfigDict(extra="forbid")

    valid_time: Moment
    temperature_c: _Celsius


class Event(BaseModel):
    """Something that happens once, on the local days start ≤ day ≤ end."""

    model_config = ConfigDict(extra="forbid")

    start: Day
    end: Day
    name: Text

    @model_validator(mode="after")
    def _ends_after_its_start(self) -> "Event":
        if not self.start <= self.end <= self.start + timedelta(days=31):
            raise ValueError("expected start not after end, at most 31 days apart")
        return self


class Imagined(BaseModel):
    """A series and how the time ahead of its newest forecast is imagined."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"series_id": "system", "temperature_shift_c": 3.0}}
    )

    series_id: Text
    temperature_shift_c: Annotated[float, Field(strict=True, ge=-30, le=30, allow_inf_nan=False)] = 0.0
    temperatures: Annotated[list[Temperature], Field(max_length=_MOST_TEMPERATURES)] = []
    event: Event | None = None


@router.post("", response_model=WhatIf)
def imagine(here: Here, imagined: Imagined) -> Response:
    """The newest forecast of a series with other temperatures or a planned event, computed by the model in charge."""
    series_id = here.series(imagined.series_id).series_id
    with here.store.transaction() as connection:
        issue_time = archive.issue_time_at(connection, series_id, at=archive.FAR_FUTURE, layer=Layer.MODEL)
        if issue_time is None:
            raise NotFoundError(f'series {series_id!r}: no forecast was issued yet; run "gridcast forecast" first.')
        issued = archive.issued(connection, series_id, issue_time=issue_time).filter(layer=Layer.MODEL.value)
    event = imagined.event
    circumstances = Circumstances(
        temperature_shift_c=imagined.temperature_shift_c,
        temperatures=[(each.valid_time, each.temperature_c) for each in imagined.temperatures],
        event=None if event is None else PlannedEvent(event.start, event.end, event.name),
    )
    version = issued.item(0, "model_version")
    with here.forecasting:
        known = known_to_store(here.store, here.processed(), issue_time=issue_time)
        changed = what_if(here.forecaster(here.model(version)), known, issued, circumstances)
    points = changed.select("valid_time", *QUANTILE_COLUMNS).with_columns(
        issued_p50=issued["p50"], change_mw=pl.col("p50") - issued["p50"]
    )
    document = {
        "series_id": series_id,
        "issue_time": issue_time,
        "model_version": version,
        "points": rows_of(points),
    }
    return json_answer(document)
