"""Open-Meteo: weather of the past from its archive, and its forecasts as they stood when they were fetched."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final

import polars as pl

from gridcast.ingestion.connectors.http_client import HttpClient
from gridcast.ingestion.connectors.open_meteo_answer import HOURLY, INTERVALS, QUARTER_HOURLY, read_answer
from gridcast.ingestion.source import Batch, unreadable_position
from gridcast.ingestion.tabular.columns import Parsed

_TEMPERATURE: Final = "temperature_2m"
_DAY: Final = timedelta(days=1)
_MOST_PAST_DAYS: Final = 92
_RUN_DELAY: Final = timedelta(hours=6)
"""From the start of a model run to its forecast; the earlier runs come by the start."""


@dataclass(frozen=True, slots=True)
class Station:
    """A point on the map, decimal degrees."""

    station_id: str
    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenMeteo:
    """A bounded source of weather, several stations in one request.

    History reaches from `history_from` (None: no history) to `history_delay` before now, `days_per_request` at a time;
    `previous_runs` adds the forecasts of that many earlier days. The forecast comes last and closes the gap to now.
    Values from before the first run count as available at their interval's end, later ones when they were fetched.
    """

    stations: tuple[Station, ...]
    history_from: date | None
    history_delay: timedelta
    days_per_request: int
    forecast_days: int
    previous_runs: int
    quarter_hourly: bool
    history_url: str
    forecast_url: str
    previous_runs_url: str
    api_key: str | None = None
    http: HttpClient = field(default_factory=HttpClient)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def batches(self, position: str | None) -> Iterator[Batch]:
        """Spans of history that are not kept yet, then the newest forecast."""
        now = self.clock()
        state = _State(now, {}, None) if position is None else _State.read(position)
        while (span := self._next_span(state, now)) is not None:
            start, end = span
            stations = [each for each in self.stations if self._cursor(state, each) == start]
            state = replace(state, history={**state.history, **{each.station_id: end for each in stations}})
            yield _batch(self._history(stations, start, end, now=now, state=state), state)
        if self.forecast_days:
            since = state.recent or self._history_end(state, now)
            after = replace(state, recent=now)
            yield _batch([self._forecast(since, now=now, state=state)], after)

    def done(self, position: str) -> None:
        """Nothing to acknowledge."""

    def _cursor(self, state: "_State", station: Station) -> date | None:
        return state.history.get(station.station_id, self.history_from)

    def _next_span(self, state: "_State", now: datetime) -> tuple[date, date] | None:
        """First day and the day after the last of the history to fetch next."""
        last = (now - self.history_delay).astimezone(UTC).date()
        starts = sorted({day for each in self.stations if (day := self._cursor(state, each)) is not None})
        if self.history_from is None or not starts or starts[0] >= last:
            return None
        return starts[0], min([*starts[1:], last, starts[0] + self.days_per_request * _DAY])

    def _history(
        self, stations: list[Station], start: date, end: date, *, now: datetime, state: "_State"
    ) -> Iterator[Parsed]:
        days = {"start_date": start.isoformat(), "end_date": (end - _DAY).isoformat()}
        observed = self._ask(self.history_url, stations, {HOURLY: _TEMPERATURE, **days}, null_is_dead=True)
        yield observed._replace(rows=_when_known(observed.rows, HOURLY, now=now, state=state))
        for back in range(1, self.previous_runs + 1):
            variable = f"{_TEMPERATURE}_previous_day{back}"
            forecast = self._ask(self.previous_runs_url, stations, {HOURLY: variable, **days}, null_is_dead=False)
            issued = pl.col("valid_time") - back * _DAY + _RUN_DELAY
            yield forecast._replace(rows=forecast.rows.with_columns(issued.alias("available_at")))

    def _forecast(self, since: datetime, *, now: datetime, state: "_State") -> Parsed:
        block = QUARTER_HOURLY if self.quarter_hourly else HOURLY
        past_days = min(max((now.date() - since.date()).days, 0), _MOST_PAST_DAYS)
        asked = {block: _TEMPERATURE, "forecast_days": str(self.forecast_days), "past_days": str(past_days)}
        parsed = self._ask(self.forecast_url, self.stations, asked, null_is_dead=False)
        is_new = pl.col("valid_time") + INTERVALS[block] > since
        return parsed._replace(rows=_when_known(parsed.rows.filter(is_new), block, now=now, state=state))

    def _ask(
        self, url: str, stations: tuple[Station, ...] | list[Station], asked: Mapping[str, str], *, null_is_dead: bool
    ) -> Parsed:
        block = next(iter(asked))
        params = {
            "latitude": ",".join(str(each.latitude) for each in stations),
            "longitude": ",".join(str(each.longitude) for each in stations),
            "timezone": "GMT",
            **asked,
            **({} if self.api_key is None else {"apikey": self.api_key}),
        }
        body = self.http.get(url, params=params)
        names = [each.station_id for each in stations]
        return read_answer(
            body, url=url, station_ids=names, block=block, variable=asked[block], null_is_dead=null_is_dead
        )

    def _history_end(self, state: "_State", now: datetime) -> datetime:
        """Until when the history of every station is there, or the start of today."""
        days = [day for each in self.stations if (day := self._cursor(state, each)) is not None]
        return datetime.combine(min(days, default=now.date()), datetime.min.time(), tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _State:
    """`first_asked`: when the source was first used; `history`: next day per station; `recent`: the newest forecast."""

    first_asked: datetime
    history: Mapping[str, date]
    recent: datetime | None

    @classmethod
    def read(cls, position: str) -> "_State":
        try:
            kept = json.loads(position)
            return cls(
                datetime.fromisoformat(kept["first_asked"]),
                {name: date.fromisoformat(day) for name, day in kept["history"].items()},
                None if kept["recent"] is None else datetime.fromisoformat(kept["recent"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise unreadable_position(position, owner="Open-Meteo") from error

    def text(self) -> str:
        return json.dumps(
            {
                "first_asked": self.first_asked.isoformat(),
                "history": {name: day.isoformat() for name, day in sorted(self.history.items())},
                "recent": None if self.recent is None else self.recent.isoformat(),
            }
        )


def _when_known(rows: pl.DataFrame, block: str, *, now: datetime, state: _State) -> pl.DataFrame:
    """Backfill is known at its interval's end, everything else since it was fetched."""
    end = pl.col("valid_time") + INTERVALS[block]
    known = pl.when(end <= state.first_asked).then(end).otherwise(pl.lit(now))
    return rows.with_columns(known.cast(rows.schema["available_at"]).alias("available_at"))


def _batch(parts: Iterator[Parsed] | list[Parsed], state: _State) -> Batch:
    together = list(parts)
    return Batch.of(
        position=state.text(),
        weather=pl.concat([part.rows for part in together]),
        dead=pl.concat([part.dead for part in together]),
    )
