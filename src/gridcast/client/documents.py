"""What the API answers, as frames with typed columns and as values."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, NamedTuple

import polars as pl

from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.domain.tables import UTC_TIME

SERIES: Final = pl.Schema(
    {
        "series_id": pl.String(),
        "level": pl.String(),
        "time_zone": pl.String(),
        "parents": pl.List(pl.Struct({"parent_id": pl.String(), "since": UTC_TIME, "until": UTC_TIME})),
        "newest_reading": UTC_TIME,
        "newest_issue_time": UTC_TIME,
    }
)
PEAK_DAYS: Final = pl.Schema(
    {
        "series_id": pl.String(),
        "issue_time": UTC_TIME,
        "date": pl.Date(),
        "peak_p10": pl.Float64(),
        "peak_p50": pl.Float64(),
        "peak_p90": pl.Float64(),
        "peak_hour": pl.Int64(),
        "limit_mw": pl.Float64(),
        "probability_above_limit": pl.Float64(),
        "is_alarm": pl.Boolean(),
    }
)
"""Per local day ahead. Sizes in MW; `peak_hour` by the clock of the series."""
ACCURACY: Final = pl.Schema(
    {
        "series_id": pl.String(),
        "layer": pl.String(),
        "lead_bucket": pl.String(),
        "n": pl.Int64(),
        "mae_mw": pl.Float64(),
        "bias_mw": pl.Float64(),
        "pinball_mw": pl.Float64(),
        "coverage_80": pl.Float64(),
        "coverage_90": pl.Float64(),
        "naive_mae_mw": pl.Float64(),
        "naive_pinball_mw": pl.Float64(),
        "skill_mae_vs_naive": pl.Float64(),
        "skill_pinball_vs_naive": pl.Float64(),
    }
)
HAPPENED: Final = pl.Schema({"event_id": pl.Int64(), "at": UTC_TIME, "kind": pl.String(), "message": pl.String()})
WHAT_IF: Final = pl.Schema(
    {
        "series_id": pl.String(),
        "issue_time": UTC_TIME,
        "model_version": pl.String(),
        "valid_time": UTC_TIME,
        **{column: pl.Float64() for column in QUANTILE_COLUMNS},
        "issued_p50": pl.Float64(),
        "change_mw": pl.Float64(),
    }
)
"""The newest forecast under other circumstances. `change_mw`: `p50` − `issued_p50`."""


class Landed(NamedTuple):
    """What became of pushed readings: `repeated` were there already."""

    received: int
    landed: int
    repeated: int


class NewForecast(NamedTuple):
    """A forecast that has just been issued."""

    issue_time: datetime
    model_version: str


class OneOff(NamedTuple):
    """A one-off event on the local days start ≤ day ≤ end."""

    start: date
    end: date
    name: str


@dataclass(frozen=True, slots=True)
class Model:
    """A registered model."""

    version: str
    created_at: datetime
    aliases: tuple[str, ...]
    params: Mapping[str, str]
    metrics: Mapping[str, float | None]
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Override:
    """What an operator set in place of a forecast, for the intervals of start ≤ time < end."""

    override_id: str
    series_id: str
    start: datetime
    end: datetime
    operation: str
    value: float
    author: str
    reason: str
    created_at: datetime
    expires_at: datetime
    withdrawn_at: datetime | None
    withdrawn_by: str | None


def frame_of(items: Iterable[Mapping[str, Any]], schema: pl.Schema, **same: Any) -> pl.DataFrame:
    """Items as rows: the columns of `schema` in its order and types; `same` holds for every row."""
    rows = [{name: _value({**same, **each}.get(name), kind) for name, kind in schema.items()} for each in items]
    return pl.DataFrame(rows, schema=schema)


def model_of(document: Mapping[str, Any]) -> Model:
    """A model as the API describes it."""
    return Model(
        document["version"],
        datetime.fromisoformat(document["created_at"]),
        tuple(document["aliases"]),
        document["params"],
        document["metrics"],
        document["tags"],
    )


def override_of(document: Mapping[str, Any], schema: pl.Schema) -> Override:
    """An override as the API describes it."""
    return Override(**{name: _value(document.get(name), kind) for name, kind in schema.items()})


def _value(value: Any, kind: pl.DataType) -> Any:
    if value is None:
        return None
    if isinstance(kind, pl.Datetime):
        return datetime.fromisoformat(value)
    if isinstance(kind, pl.Date):
        return date.fromisoformat(value)
    if isinstance(kind, pl.List):
        inner: Any = kind.inner
        return [_value(each, inner) for each in value]
    if isinstance(kind, pl.Struct):
        fields: Any = kind.fields
        return {each.name: _value(value.get(each.name), each.dtype) for each in fields}
    return value
