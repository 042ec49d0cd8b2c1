"""Which local days are holidays or one-off events of which series, and which lie between holidays."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fnmatch import fnmatchcase
from typing import Final, TypeVar

import numpy as np
import polars as pl

from gridcast.domain.calendars import bridge_days
from gridcast.domain.tables import EVENTS, SPECIAL_DAYS, DayKind
from gridcast.features.day_calendar import local_calendars
from gridcast.ingestion.public_holidays import Place, public_holidays

_Value = TypeVar("_Value", bound=Hashable)
_ORDER: Final = ("date", "kind", "name", "series_id")


@dataclass(frozen=True, slots=True, eq=False)
class CalendarRules:
    """Whose holidays series have, beside those that sources name, and what happens once.

    Attributes:
        places: of every series, by id.
        events: `EVENTS`.
    """

    places: Mapping[str, Place] = field(default_factory=dict)
    events: pl.DataFrame = field(default_factory=EVENTS.to_frame)

    def special_days(self, received: pl.DataFrame, *, years: range) -> pl.DataFrame:
        """`SPECIAL_DAYS`: holidays that sources name, those of the places in `years`, and events.

        A day `received` from sources (`HOLIDAYS`) is every series' holiday under the name they give it.
        """
        of_places = self._of_places(years).join(received, on="date", how="anti")
        holidays = pl.concat([received, of_places], how="diagonal").with_columns(kind=pl.lit(DayKind.HOLIDAY.value))
        events = self._of_events().with_columns(kind=pl.lit(DayKind.EVENT.value))
        return pl.concat([SPECIAL_DAYS.to_frame(), holidays, events], how="diagonal").sort(_ORDER)

    def _of_places(self, years: range) -> pl.DataFrame:
        """Holidays with the series that have them; without, if all series have the same place."""
        parts = [
            public_holidays(place, years=years).join(residents, how="cross")
            for place, residents in _series_by(self.places).items()
        ]
        return pl.concat([SPECIAL_DAYS.to_frame().drop("kind"), *parts])

    def _of_events(self) -> pl.DataFrame:
        """Days of the events with the series that they are of; without, if they are of all."""
        fitting: dict[str, Sequence[str | None]] = {
            each: [series_id for series_id in self.places if fnmatchcase(series_id, each)]
            for each in self.events["series"].unique()
        }
        fitting["*"] = [None]
        series = pl.concat(_ids(series_ids).with_columns(series=pl.lit(each)) for each, series_ids in fitting.items())
        days = self.events.select("name", "series", date=pl.date_ranges("start", "end"))
        return days.explode("date").join(series, on="series").select("date", "name", "series_id")


def days_between(special_days: pl.DataFrame, *, time_zones: Mapping[str, str], start: date, end: date) -> pl.DataFrame:
    """`SPECIAL_DAYS` of some series with the bridge days among them; a day without an id is all these series'.

    Args:
        special_days: `SPECIAL_DAYS` that reach a day further at both ends.
        time_zones: series id → IANA zone of the series.
        start: the first local day.
        end: the last one.
    """
    days = np.arange(np.datetime64(start), np.datetime64(end) + 1)
    calendars = local_calendars(time_zones, special_days=special_days, time=days)
    bridges = [
        pl.DataFrame({"date": days[bridge_days(days, holidays=np.array(holidays, dtype="datetime64[D]"))]})
        .with_columns(name=pl.lit("bridge day"), kind=pl.lit(DayKind.BRIDGE.value))
        .join(residents, how="cross")
        for holidays, residents in _series_by({each: its.holidays for each, its in calendars.items()}).items()
    ]
    known = special_days.filter(
        pl.col("date").is_between(start, end),
        pl.col("series_id").is_null() | pl.col("series_id").is_in(list(time_zones)),
    )
    return pl.concat([known, *bridges]).sort(_ORDER)


def _series_by(values: Mapping[str, _Value]) -> dict[_Value, pl.DataFrame]:
    """Every value with the `series_id` of those that have it, null if all have the same."""
    groups: dict[_Value, list[str | None]] = {}
    for series_id, value in values.items():
        groups.setdefault(value, []).append(series_id)
    return {value: _ids(series_ids if len(groups) > 1 else [None]) for value, series_ids in groups.items()}


def _ids(series_ids: Sequence[str | None]) -> pl.DataFrame:
    return pl.DataFrame({"series_id": series_ids}, schema={"series_id": pl.String()})
