"""Columns of every table that crosses a room's border. Times are UTC and label the interval's start."""

import enum
from datetime import datetime
from typing import Final

import polars as pl

from gridcast.domain.quantiles import QUANTILE_COLUMNS

UTC_TIME: Final = pl.Datetime("us", "UTC")


class Quality(enum.StrEnum):
    """How far a value can be trusted."""

    GOOD = "good"
    """Measured and passed every rule."""
    ESTIMATED = "estimated"
    """Computed in place of a missing or bad value."""
    EDITED = "edited"
    """Set by a person."""
    BAD = "bad"
    """Measured, failed a rule, and could not be estimated; the load is null."""
    MISSING = "missing"
    """Never arrived and could not be estimated; the load is null."""


class DayKind(enum.StrEnum):
    """What makes a local day special."""

    HOLIDAY = "holiday"
    """People have it off."""
    BRIDGE = "bridge"
    """A working day between a holiday and a weekend or another holiday."""
    EVENT = "event"
    """Something happens that comes once: a final, a strike, an election."""


class Layer(enum.StrEnum):
    """Who speaks."""

    MODEL = "model"
    """The model in charge."""
    RECONCILED = "reconciled"
    """That, made coherent over the hierarchy."""
    OPERATOR = "operator"
    """An operator who overruled it."""
    SHADOW = "shadow"
    """Another model, on trial beside the one in charge."""
    EXTERNAL = "external"
    """Somebody else, such as a transmission system operator; `model_version` says who, and only `p50` is there."""


class Operation(enum.StrEnum):
    """What an operator's override does to a forecast."""

    SET = "set"
    """The median becomes the value, MW; the bands keep their distance from it."""
    ADD = "add"
    """The value, MW, is added to every quantile."""
    SCALE = "scale"
    """Every quantile is multiplied by the value."""


READINGS: Final = pl.Schema(
    {"series_id": pl.String(), "valid_time": UTC_TIME, "load_mw": pl.Float64(), "available_at": UTC_TIME}
)
"""As received. `load_mw`: mean power over the interval in MW, consumption positive."""

REPLAY: Final = "replay"
"""Source of readings that `gridcast stream` plays back from the raw folder."""

PUSHED: Final = "push"
"""Source of readings that programs push to the service."""

SIMULATED: Final = "simulate"
"""Source of simulated readings in the log; they never become part of the history."""

CONSUMER: Final = "stream"
"""What the stream is called among the readers of the log."""

CLEAN_READINGS: Final = pl.Schema(
    {
        "series_id": pl.String(),
        "valid_time": UTC_TIME,
        "load_mw": pl.Float64(),
        "raw_load_mw": pl.Float64(),
        "quality": pl.String(),
        "rule": pl.String(),
        "available_at": UTC_TIME,
    }
)
"""One row per series and interval, without gaps. `load_mw` is null where `quality` is bad or missing;
`raw_load_mw` keeps what was received (null if nothing was); `rule` names what changed it, '' if nothing did."""

EDITS: Final = pl.Schema(
    {
        "series_id": pl.String(),
        "start": UTC_TIME,
        "end": UTC_TIME,
        "load_mw": pl.Float64(),
        "author": pl.String(),
        "reason": pl.String(),
        "edited_at": UTC_TIME,
    }
)
"""Loads of a series set by a person, for the intervals that start in start ≤ time < end. `load_mw` is null where they
are marked as bad; `author`, `reason`, `edited_at`: who, why and when."""

WEATHER: Final = pl.Schema(
    {"station_id": pl.String(), "valid_time": UTC_TIME, "temperature_c": pl.Float64(), "available_at": UTC_TIME}
)
"""Air temperature of a station, °C, mean over the interval."""

HOLIDAYS: Final = pl.Schema({"date": pl.Date(), "name": pl.String()})
"""Local calendar days that people treat as holidays."""

EVENTS: Final = pl.Schema({"start": pl.Date(), "end": pl.Date(), "name": pl.String(), "series": pl.String()})
"""One-off events on the local days start ≤ day ≤ end, of the series whose id fits the pattern `series`."""

SPECIAL_DAYS: Final = pl.Schema({"date": pl.Date(), "name": pl.String(), "kind": pl.String(), "series_id": pl.String()})
"""Local days with a holiday or a one-off event (`DayKind`); without a `series_id` it is every series' day."""

FORECASTS: Final = pl.Schema(
    {
        "series_id": pl.String(),
        "issue_time": UTC_TIME,
        "valid_time": UTC_TIME,
        "layer": pl.String(),
        "model_version": pl.String(),
        **{column: pl.Float64() for column in QUANTILE_COLUMNS},
        "degraded_because": pl.String(),
    }
)
"""One row per series, issue time, interval and layer; quantiles in MW; `degraded_because` is '' at full strength."""

OVERRIDES: Final = pl.Schema(
    {
        "override_id": pl.String(),
        "series_id": pl.String(),
        "start": UTC_TIME,
        "end": UTC_TIME,
        "operation": pl.String(),
        "value": pl.Float64(),
        "author": pl.String(),
        "reason": pl.String(),
        "created_at": UTC_TIME,
        "expires_at": UTC_TIME,
        "withdrawn_at": UTC_TIME,
        "withdrawn_by": pl.String(),
    }
)
"""What an operator sets in place of forecasts of a series, for the intervals that start in start ≤ time < end, in
forecasts issued before `expires_at`. `operation`: see `Operation`; `withdrawn_at` is null while it stands."""

EXPLANATIONS: Final = pl.Schema(
    {
        "series_id": pl.String(),
        "issue_time": UTC_TIME,
        "reference_issue_time": UTC_TIME,
        "model_version": pl.String(),
        "valid_time": UTC_TIME,
        "reference_valid_time": UTC_TIME,
        "quantity": pl.String(),
        "input_group": pl.String(),
        "contribution_mw": pl.Float64(),
        "forecast_mw": pl.Float64(),
        "reference_mw": pl.Float64(),
    }
)
"""What moved a forecast: per series, interval and quantity (`p50`, `width_80`) what each group of inputs contributes.
Contributions add up to `forecast_mw` − `reference_mw`."""


def earliest(times: pl.Series) -> datetime:
    """The first of some times.

    Raises:
        ValueError: there is none.
    """
    return _one(times.min(), times)


def latest(times: pl.Series) -> datetime:
    """The last of some times.

    Raises:
        ValueError: there is none.
    """
    return _one(times.max(), times)


def _one(time: object, times: pl.Series) -> datetime:
    if not isinstance(time, datetime):
        raise ValueError(f"column {times.name!r} of {times.dtype} has no times; expected at least one")  # noqa: TRY004
    return time
