"""Actual load of North American system operators, by the library gridstatus."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import polars as pl

from gridcast.domain.errors import GridcastError, UsageError
from gridcast.domain.tables import UTC_TIME
from gridcast.ingestion.connectors.client_library import ask_library, load_library
from gridcast.ingestion.connectors.fetched_until import FetchedUntil, next_start
from gridcast.ingestion.connectors.http_client import HttpClient
from gridcast.ingestion.connectors.load_table import NO_LOADS, loads, parse_loads, utc_times
from gridcast.ingestion.source import Batch
from gridcast.ingestion.tabular.columns import Parsed

_STARTS: Final = ("Interval Start", "Time")
_END: Final = "Interval End"
_ISSUED: Final = ("Publish Time", "Forecast Time")
_FORECAST: Final = "Load Forecast"


@dataclass(frozen=True, slots=True, kw_only=True)
class GridstatusLoad:
    """A bounded source of readings, local day by local day from `start` to now; every series has its own progress.

    `columns`: column of the library's table → series id. `interval`: length where the table does not tell it.
    `api_key`: for operators that ask for one (pjm).
    """

    iso: str
    columns: Mapping[str, str]
    start: date
    interval: timedelta
    api_key: str | None = field(default=None, repr=False)
    http: HttpClient = field(default_factory=HttpClient)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def batches(self, position: str | None) -> Iterator[Batch]:
        """Days that are not kept yet. Of the last ones, what is not published yet is left to a later run."""
        operator, library = self._operator(), load_library("gridstatus", extra="iso")
        clock = ZoneInfo(operator.default_timezone)
        now, reached = self.clock(), FetchedUntil.read(position)
        first = reached.times.get(self.iso, _midnight(self.start, clock))
        starts = {series_id: reached.times.get(series_id, first) for series_id in self.columns.values()}
        start = min(starts.values())
        while start < now:
            day = start.astimezone(clock).date()
            end = min(_midnight(day + timedelta(days=1), clock), now)
            frame = self._ask(operator, library, day)
            parsed = load_readings(frame, columns=self.columns, interval=self.interval, starts=starts, end=end)
            onwards = {
                series_id: next_start(parsed.rows.filter(series_id=series_id), start=reached_by_it, end=end, now=now)
                for series_id, reached_by_it in starts.items()
            }
            if onwards != starts:
                starts = onwards
                yield Batch.of(position=FetchedUntil(starts).text(), readings=parsed.rows, dead=parsed.dead)
            if max(starts.values()) < end:
                break
            start = end

    def forecasts(self, start: datetime, end: datetime) -> Parsed:
        """The operator's own forecasts of its load with start ≤ valid time < end, known since it issued them.

        Raises:
            UsageError: the source is of parts of the operator's area, of which the library gives no forecast.
        """
        (series_id, *more) = self.columns.values()
        if more:
            raise UsageError(
                f"gridstatus: {len(self.columns)} columns of {self.iso}; expected one, as the library forecasts the "
                "whole area. Name a source of its own in config/pipeline_config.yaml."
            )
        operator, library = self._operator(), load_library("gridstatus", extra="iso")
        clock, found, day = ZoneInfo(operator.default_timezone), [NO_LOADS], start
        while day < end:
            frame = self._ask(operator, library, day.astimezone(clock).date(), is_forecast=True)
            found.append(forecast_readings(frame, series_id=series_id, start=start, end=end))
            day += timedelta(days=1)
        return Parsed(pl.concat([each.rows for each in found]), pl.concat([each.dead for each in found]))

    def done(self, position: str) -> None:
        """Nothing to acknowledge."""

    def _operator(self) -> Any:
        library = load_library("gridstatus", extra="iso")
        make = library.get_iso(self.iso)
        return make() if self.api_key is None else make(api_key=self.api_key)

    def _ask(self, operator: Any, library: Any, day: date, *, is_forecast: bool = False) -> Any:
        """The operator's table of a local day, or None if it has none."""

        def load() -> Any:
            try:
                ask = operator.get_load_forecast if is_forecast else operator.get_load
                return ask(day.isoformat())
            except library.NoDataFoundException:
                return None
            except library.NotSupported as error:
                raise ValueError(f"not supported {error}".strip()) from error

        what = "forecast" if is_forecast else "load"
        return ask_library(load, http=self.http, where=f"gridstatus, {what} of {self.iso} on {day}")


def load_readings(
    frame: Any, *, columns: Mapping[str, str], interval: timedelta, starts: Mapping[str, datetime], end: datetime
) -> Parsed:
    """READINGS with a series' start ≤ valid time < end of what `get_load` gives; missing loads are DEAD_ROWS.

    `frame`: pandas, `Interval Start` or `Time` with a time zone, perhaps `Interval End`, and loads in MW; None stands
    for no rows.

    Raises:
        GridcastError: a column is missing.
    """
    if frame is None or len(frame) == 0:
        return NO_LOADS
    begins = next((name for name in _STARTS if name in frame.columns), _STARTS[0])
    for name in (begins, *columns):
        if name not in frame.columns:
            raise GridcastError(
                f"gridstatus: the table has no column {name!r} but {list(map(str, frame.columns))}; expected it. Set "
                "columns of the source in config/pipeline_config.yaml."
            )
    times = utc_times(frame[begins])
    ends = utc_times(frame[_END]) if _END in frame.columns else times + interval
    found = {series_id: loads(frame[name]) for name, series_id in columns.items()}
    numbers = pl.int_range(1, len(frame) + 1, eager=True)
    wide = pl.DataFrame({"row": numbers, "valid_time": times, "available_at": ends, **found})
    rows = wide.unpivot(index=["row", "valid_time", "available_at"], variable_name="series_id", value_name="load_mw")
    start = pl.col("series_id").replace_strict(starts, return_dtype=UTC_TIME)
    asked = rows.filter(pl.col("valid_time").is_between(start, end, closed="left"))
    return parse_loads(asked, source="gridstatus")


def forecast_readings(frame: Any, *, series_id: str, start: datetime, end: datetime) -> Parsed:
    """READINGS with start ≤ valid time < end of what `get_load_forecast` gives, available since it was issued.

    Raises:
        GridcastError: a column is missing.
    """
    if frame is None or len(frame) == 0:
        return NO_LOADS
    begins, issued, forecast = (
        next((name for name in names if name in frame.columns), "") for names in (_STARTS, _ISSUED, (_FORECAST,))
    )
    if not (begins and issued and forecast):
        raise GridcastError(
            f"gridstatus: the forecast has the columns {list(map(str, frame.columns))}; expected one of {_STARTS}, one "
            f"of {_ISSUED}, and {_FORECAST!r}. Install a newer version of gridstatus, or tell us."
        )
    rows = pl.DataFrame(
        {
            "row": pl.int_range(1, len(frame) + 1, eager=True),
            "series_id": pl.repeat(series_id, len(frame), eager=True),
            "valid_time": utc_times(frame[begins]),
            "available_at": utc_times(frame[issued]),
            "load_mw": loads(frame[forecast]),
        }
    )
    return parse_loads(rows.filter(pl.col("valid_time").is_between(start, end, closed="left")), source="gridstatus")


def _midnight(day: date, clock: ZoneInfo) -> datetime:
    return datetime.combine(day, datetime.min.time(), tzinfo=clock).astimezone(UTC)
