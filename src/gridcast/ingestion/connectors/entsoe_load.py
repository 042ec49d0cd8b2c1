"""ENTSO-E Transparency Platform: actual total load of European areas, by the library entsoe-py."""

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import polars as pl

from gridcast.domain.errors import GridcastError, UsageError
from gridcast.domain.tables import READINGS, UTC_TIME
from gridcast.ingestion.connectors.client_library import ask_library, load_library
from gridcast.ingestion.connectors.fetched_until import FetchedUntil, next_start
from gridcast.ingestion.connectors.http_client import HttpClient
from gridcast.ingestion.connectors.load_table import NO_LOADS, loads, parse_loads, utc_times
from gridcast.ingestion.source import Batch
from gridcast.ingestion.tabular.columns import Parsed

_LOAD: Final = "Actual Load"
_FORECAST: Final = "Forecasted Load"
_HOUR: Final = timedelta(hours=1)
_CLOCK: Final = "Europe/Brussels"
_PUBLISHED: Final = timedelta(hours=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntsoeLoad:
    """A bounded source of readings: area by area, `days_per_request` at a time, up to now.

    `areas`: area code of entsoe-py (DE_LU, FR, …) → series id. The library asks the server in the environment variable
    ENTSOE_ENDPOINT_URL, if set, in place of the platform's.
    """

    areas: Mapping[str, str]
    start: date
    days_per_request: int
    api_key: str = field(repr=False)
    http: HttpClient = field(default_factory=HttpClient)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def batches(self, position: str | None) -> Iterator[Batch]:
        """Loads that are not kept yet. Of the last days, what is not published yet is left to a later run."""
        query = self._query()
        now = self.clock().astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        reached = FetchedUntil.read(position)
        for area, series_id in self.areas.items():
            start = reached.times.get(area, datetime.combine(self.start, datetime.min.time(), tzinfo=UTC))
            while start < now:
                end = min(start + timedelta(days=self.days_per_request), now)
                parsed = load_readings(query(area, start, end), series_id=series_id, start=start, end=end)
                onwards = next_start(parsed.rows, start=start, end=end, now=now)
                if onwards > start:
                    reached = reached.moved(area, to=onwards)
                    yield Batch.of(position=reached.text(), readings=parsed.rows, dead=parsed.dead)
                if onwards < end:
                    break
                start = onwards

    def done(self, position: str) -> None:
        """Nothing to acknowledge."""

    def forecasts(self, start: datetime, end: datetime) -> Parsed:
        """The operators' day-ahead forecasts with start ≤ valid time < end, known since they had to be published."""
        query, now = self._query(is_forecast=True), self.clock().astimezone(UTC)
        found = [
            load_readings(query(area, start, end), series_id=series_id, start=start, end=end, column=_FORECAST)
            for area, series_id in self.areas.items()
        ]
        rows = pl.concat([each.rows for each in found])
        issued = pl.min_horizontal(_published(), pl.lit(now, UTC_TIME))
        return Parsed(rows.with_columns(available_at=issued).cast(READINGS), pl.concat([each.dead for each in found]))

    def _query(self, *, is_forecast: bool = False) -> Callable[[str, datetime, datetime], Any]:
        """Asks for the loads of an area in [start, end): a pandas frame, or None if there are none."""
        library, pandas = (load_library(name, extra="entsoe") for name in ("entsoe", "pandas"))
        errors = load_library("entsoe.exceptions", extra="entsoe")
        _require_areas(self.areas, mappings=load_library("entsoe.mappings", extra="entsoe"))
        seconds = self.http.rules.timeout / timedelta(seconds=1)
        client = library.EntsoePandasClient(api_key=self.api_key, retry_count=1, retry_delay=0, timeout=seconds)

        def load(area: str, start: datetime, end: datetime) -> Any:
            try:
                ask = client.query_load_forecast if is_forecast else client.query_load
                return ask(area, start=pandas.Timestamp(start), end=pandas.Timestamp(end))
            except errors.NoMatchingDataError:
                return None
            except (errors.InvalidBusinessParameterError, errors.InvalidPSRTypeError, errors.PaginationError) as error:
                raise ValueError(str(error) or type(error).__name__) from error

        def query(area: str, start: datetime, end: datetime) -> Any:
            what = "forecast" if is_forecast else "load"
            where = f"ENTSO-E, {what} of {area} from {start:%Y-%m-%d %H:%MZ}"
            return ask_library(lambda: load(area, start, end), http=self.http, where=where)

        return query


def _published() -> pl.Expr:
    """When the day-ahead forecast of a valid time has to be public: two hours before the gate of the day before closes.

    Commission Regulation (EU) No 543/2013, article 6. The platform does not tell when it was.
    """
    day = pl.col("valid_time").dt.convert_time_zone(_CLOCK).dt.date()
    at = (day - timedelta(days=1)).cast(pl.Datetime("us")) + _PUBLISHED
    return at.dt.replace_time_zone(_CLOCK).dt.convert_time_zone("UTC")


def load_readings(frame: Any, *, series_id: str, start: datetime, end: datetime, column: str = _LOAD) -> Parsed:
    """READINGS with start ≤ valid time < end of what `query_load` gives; loads that are missing are DEAD_ROWS.

    `frame`: pandas, the column in MW, index of interval starts with a time zone; None stands for no rows. The
    shortest step between two rows is the interval; one hour if there is one row only.
    """
    if frame is None or len(frame) == 0:
        return NO_LOADS
    if column not in frame.columns:
        raise GridcastError(
            f"ENTSO-E: the answer has the columns {list(frame.columns)}; expected {column!r}. Install a newer version "
            "of entsoe-py, or tell us."
        )
    times = utc_times(frame.index.to_series())
    steps = times.sort().diff().drop_nulls()
    interval = steps.filter(steps > timedelta(0)).min()
    rows = pl.DataFrame(
        {
            "row": pl.int_range(1, len(frame) + 1, eager=True),
            "series_id": pl.repeat(series_id, len(frame), eager=True),
            "valid_time": times,
            "available_at": times + (interval if isinstance(interval, timedelta) else _HOUR),
            "load_mw": loads(frame[column]),
        }
    )
    return parse_loads(rows.filter(pl.col("valid_time").is_between(start, end, closed="left")), source="entsoe")


def _require_areas(areas: Mapping[str, str], *, mappings: Any) -> None:
    for area in areas:
        try:
            mappings.lookup_area(area)
        except ValueError as error:
            close = difflib.get_close_matches(area, list(mappings.Area.__members__), n=3)
            hint = f" Did you mean {' or '.join(close)}?" if close else ""
            raise UsageError(
                f"ENTSO-E: there is no area {area!r}; expected one of entsoe-py, such as DE_LU or FR.{hint}"
            ) from error
