"""What answers look like: the models of the OpenAPI description. Loads in MW, times in UTC."""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gridcast.domain.tables import Layer, Operation, Quality

_EXAMPLE_TIME = "2008-06-29T06:00:00Z"


class Document(BaseModel):
    """An answer, or a part of one."""

    model_config = ConfigDict(frozen=True)


class Health(Document):
    """Whether the process lives."""

    status: Literal["ok", "ready"] = "ok"
    version: str


class Me(Document):
    """Who asks."""

    name: str
    role: str


class Parent(Document):
    """A series that another one is summed into, since ≤ time < until; open ends are null."""

    parent_id: str
    since: datetime | None
    until: datetime | None


class SeriesDocument(Document):
    """A series and how fresh it is."""

    series_id: str
    level: str
    time_zone: str
    parents: list[Parent]
    newest_reading: datetime | None
    newest_issue_time: datetime | None


class Reading(Document):
    """A clean reading."""

    valid_time: datetime
    load_mw: float | None
    raw_load_mw: float | None
    quality: Quality
    rule: str
    available_at: datetime


class ReadingsOfSeries(Document):
    """Clean readings of a series."""

    series_id: str
    points: list[Reading]


class Quantiles(Document):
    """Load that is not exceeded with 5 to 95 %, MW."""

    p05: float | None
    p10: float | None
    p25: float | None
    p50: float | None
    p75: float | None
    p90: float | None
    p95: float | None


class ForecastPoint(Quantiles):
    """A forecast of one interval."""

    valid_time: datetime
    issue_time: datetime
    layer: Layer
    model_version: str
    degraded_because: str


class ForecastDocument(Document):
    """A forecast of a series."""

    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "example": {
                "series_id": "system",
                "issue_time": _EXAMPLE_TIME,
                "model_version": "3",
                "layer": "effective",
                "unit": "MW",
                "points": [
                    {
                        "valid_time": _EXAMPLE_TIME,
                        "issue_time": _EXAMPLE_TIME,
                        "layer": "model",
                        "model_version": "3",
                        "p05": 1690.2,
                        "p10": 1704.1,
                        "p25": 1727.5,
                        "p50": 1752.9,
                        "p75": 1779.0,
                        "p90": 1804.4,
                        "p95": 1820.6,
                        "degraded_because": "",
                    }
                ],
            }
        },
    )

    series_id: str
    issue_time: datetime | None
    model_version: str | None
    layer: Literal["effective", "model", "operator", "shadow"]
    unit: Literal["MW"] = "MW"
    points: list[ForecastPoint]


class PeakDay(Document):
    """The peak of a local day ahead."""

    date: date
    peak_p10: float | None
    peak_p50: float | None
    peak_p90: float | None
    peak_hour: int | None
    limit_mw: float | None
    probability_above_limit: float | None
    is_alarm: bool


class PeaksOfSeries(Document):
    """Peaks of the whole local days that the newest forecast covers."""

    series_id: str
    issue_time: datetime | None
    days: list[PeakDay]


class Accuracy(Document):
    """Means over n scored intervals, of the forecasts and of the weekly naive at the same points."""

    series_id: str
    layer: Layer
    lead_bucket: str
    n: int
    mae_mw: float | None
    bias_mw: float | None
    pinball_mw: float | None
    coverage_80: float | None
    coverage_90: float | None
    naive_mae_mw: float | None
    naive_pinball_mw: float | None
    skill_mae_vs_naive: float | None
    skill_pinball_vs_naive: float | None


class QualityShare(Document):
    """How many clean readings carry a flag, and which share of the series' readings that is."""

    series_id: str
    quality: Quality
    n: int
    share: float


class ModelDocument(Document):
    """A registered model."""

    version: str
    created_at: datetime
    aliases: list[str]
    params: dict[str, str]
    metrics: dict[str, float | None]
    tags: dict[str, str]


class Event(Document):
    """What happened."""

    event_id: int
    at: datetime
    kind: str
    message: str


class OverrideDocument(Document):
    """What an operator set in place of a forecast."""

    override_id: str
    series_id: str
    start: datetime
    end: datetime
    operation: Operation
    value: float
    author: str
    reason: str
    created_at: datetime
    expires_at: datetime
    withdrawn_at: datetime | None
    withdrawn_by: str | None


class OverrideScore(Document):
    """Whether an override helped: mean absolute errors over n measured intervals of the forecasts it changed."""

    override_id: str
    n: int
    model_mae_mw: float | None
    operator_mae_mw: float | None
    value_added_mw: float | None
    helped: bool | None


class Landed(Document):
    """What became of pushed readings: those whose load was there already are repeated, and not kept twice."""

    received: int
    landed: int
    repeated: int


class ChangedPoint(Quantiles):
    """A forecast under other circumstances, and what they change of the median."""

    valid_time: datetime
    issued_p50: float | None
    change_mw: float | None


class WhatIf(Document):
    """The newest forecast of a series under other circumstances. Nothing of it is kept."""

    series_id: str
    issue_time: datetime
    model_version: str
    points: list[ChangedPoint]


class LateSeries(Document):
    """A series whose readings are late."""

    series_id: str
    newest_reading: datetime | None
    age_s: float | None


class QualityLight(Document):
    """Data quality at a glance, over the last hours."""

    light: Literal["green", "amber", "red"]
    good_share: float
    estimated_share: float
    bad_share: float
    missing_share: float
    hours: int


class Status(Document):
    """How fresh everything is and who is in charge."""

    now: datetime
    newest_reading: datetime | None
    newest_issue_time: datetime | None
    reading_age_s: float | None
    issue_age_s: float | None
    model_version: str | None
    model_since: datetime | None
    late_series: list[LateSeries]
    degraded_share: float = Field(description="Share of the rows of the newest forecast that are degraded.")
    quality: QualityLight


class AuditEntry(Document):
    """A row of the audit log."""

    audit_id: int
    at: datetime
    actor: str
    role: str
    action: str
    target: str
    detail: dict[str, Any]
    hash: str


class KeyDocument(Document):
    """An API key, without the key."""

    key_id: str
    name: str
    role: str
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class NewKey(KeyDocument):
    """An API key that was just made: `key` is told this once."""

    key: str
