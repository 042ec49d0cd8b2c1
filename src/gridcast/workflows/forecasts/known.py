"""What is known at an issue time, and the panel that forecasts are made from."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import polars as pl

from gridcast.domain.errors import GridcastError
from gridcast.domain.series import Hierarchy
from gridcast.domain.tables import UTC_TIME
from gridcast.features.panel import Panel, panel_from_frames
from gridcast.features.windows import DAYS_OF_HISTORY
from gridcast.models.tensorflow.serving import Forecaster
from gridcast.workflows.readings.processed import Processed

EVIDENCE_DAYS = 84
"""Of past forecasts that bands rest on, see `refresh`."""
DAYS_KNOWN = DAYS_OF_HISTORY + EVIDENCE_DAYS + 2
"""Days before an issue time that are looked at at most: the history of the oldest past forecast."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known at an issue time.

    Attributes:
        readings: `CLEAN_READINGS`; rows at or after the issue time are ignored, all others count as known by then.
        weather: `WEATHER` on the intervals of the loads; the part after the issue time is the weather forecast. Of
            several vintages the newest counts: what was not known yet must not be among them.
        holidays: `SPECIAL_DAYS`, those of the horizon too.
        hierarchy: the series and their local clocks.
    """

    readings: pl.DataFrame
    weather: pl.DataFrame
    holidays: pl.DataFrame
    hierarchy: Hierarchy


class KnownPanel(NamedTuple):
    """What a forecast looks at."""

    panel: Panel
    """Every series of the hierarchy, from the first day that is looked at to the end of the horizon."""
    origin: int
    """Position of the issue time."""


def known_at(processed: Processed, issue_time: datetime, *, is_newest: bool = False) -> Known:
    """What a history knew at an issue time; `is_newest` takes all it holds, whenever that became available.

    Without any weather forecasts in the history, temperatures are the observed ones.
    """
    readings = processed.readings(start=issue_time - timedelta(days=DAYS_KNOWN))
    return Known(
        readings if is_newest else readings.filter(pl.col("available_at") <= issue_time),
        processed.weather(known_at=None if is_newest else issue_time),
        processed.holidays(),
        processed.hierarchy,
    )


def known_panel(
    forecaster: Forecaster,
    known: Known,
    *,
    issue_time: datetime,
    leads: int | None = None,
    days: int = DAYS_OF_HISTORY,
    as_issued: bool = False,
) -> KnownPanel:
    """The panel that `issue_forecast` cuts its windows from.

    Args:
        forecaster: who forecasts.
        known: what is known.
        issue_time: when.
        leads: how many intervals the panel goes on; those of the forecaster if left out.
        days: how far it goes back.
        as_issued: whether windows before the issue time see the weather as it was known then.

    Raises:
        GridcastError: there are no readings in the time before the issue time that the model looks at.
    """
    end = issue_time + (leads or forecaster.leads) * forecaster.interval
    start = issue_time - timedelta(days=days)
    readings = known.readings.filter(pl.col("valid_time") >= start, pl.col("valid_time") < issue_time)
    if readings.is_empty():
        raise GridcastError(
            f"issue time {issue_time:%Y-%m-%d %H:%MZ}: no readings in the {days} days before it; expected "
            "some. Choose a time within the history, or ingest newer readings."
        )
    panel = panel_from_frames(
        readings.with_columns(
            pl.min_horizontal("available_at", pl.lit(issue_time, dtype=UTC_TIME)).alias("available_at")
        ),
        weather=known.weather.filter(pl.col("valid_time") >= start, pl.col("valid_time") < end),
        holidays=known.holidays,
        time_zones=known.hierarchy.time_zones,
        interval=forecaster.interval,
        series_ids=known.hierarchy.ids,
        until=end,
        station_mix=forecaster.station_mix,
        as_issued=as_issued,
    )
    return KnownPanel(panel, panel.index_of(issue_time))
