"""A panel: load, temperature and local calendar of many series on one regular UTC grid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from gridcast.domain.errors import GridcastError
from gridcast.features.day_calendar import DayCalendar, day_calendar, local_calendars
from gridcast.features.grid_positions import known_positions, positions
from gridcast.features.station_mix import StationMix, equal_weights, mix_stations
from gridcast.features.station_reports import reports_on
from gridcast.features.temperature_terms import temperature_terms
from gridcast.features.vintages import Vintages, vintages

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """Everything windows are cut from. Time labels interval starts, UTC; missing values are NaN.

    Attributes:
        series_ids: names of the series axis.
        interval: length of an interval.
        time: (time,) datetime64[us], regular and gapless; it may reach beyond the newest load.
        load_mw: (series, time).
        known_from: (series, time), first position at which a forecast may look at that load.
        calendar: calendar terms per zone: series with the same clock and special days share one.
        zone_of_series: (series,) row of each series in `calendar`.
        temperature_c: (mix, time), °C, the newest of what is at hand, mixed from stations.
        temperature_terms_c: (mix, time, term): now and trailing means, see `TEMPERATURE_TERMS`.
        is_thin: (mix, time), stations with less than half of the mix reported.
        mix_of_series: (series,) row of each series in the temperatures.
        vintages: temperatures as they became known; None if windows are to see the newest ones (ex-post).
    """

    series_ids: tuple[str, ...]
    interval: timedelta
    time: npt.NDArray[np.datetime64]
    load_mw: Floats
    known_from: Ints
    calendar: DayCalendar
    zone_of_series: Ints
    temperature_c: Floats
    temperature_terms_c: Floats
    is_thin: Bools
    mix_of_series: Ints
    vintages: Vintages | None = None

    def index_of(self, moment: datetime) -> int:
        """Position of the interval that starts at `moment`; the end of the grid counts as a position too.

        Raises:
            GridcastError: the moment is off the grid.
        """
        steps, rest = divmod(moment.astimezone(UTC) - _aware(self.time[0]), self.interval)
        if rest or not 0 <= steps <= len(self.time):
            raise GridcastError(
                f"{moment:%Y-%m-%d %H:%M%z}: not an interval start of this history; expected a multiple of "
                f"{self.interval} from {_aware(self.time[0]):%Y-%m-%d %H:%MZ} to {self.end:%Y-%m-%d %H:%MZ}."
            )
        return steps

    def moment(self, position: int) -> datetime:
        """Start of the interval at a position, UTC; one past the last is the end of the grid."""
        return _aware(self.time[0]) + position * self.interval

    @property
    def end(self) -> datetime:
        """Exclusive end of the grid, UTC."""
        return self.moment(len(self.time))

    def take(self, series: npt.ArrayLike) -> "Panel":
        """The panel of some of its rows, in this order."""
        rows = np.asarray(series, dtype=np.int32)
        return replace(
            self,
            series_ids=tuple(self.series_ids[row] for row in rows),
            load_mw=self.load_mw[rows],
            known_from=self.known_from[rows],
            zone_of_series=self.zone_of_series[rows],
            mix_of_series=self.mix_of_series[rows],
        )

    def with_temperature(self, temperature_c: Floats) -> "Panel":
        """The same panel with other temperatures (mix, time)."""
        terms = temperature_terms(temperature_c, interval=self.interval)
        return replace(self, temperature_c=temperature_c, temperature_terms_c=terms)

    def with_weather(
        self, weather: pl.DataFrame, *, station_mix: StationMix | None = None, as_issued: bool = False
    ) -> "Panel":
        """The same panel with other weather: `WEATHER` on the grid, or one row per interval without a station.

        Args:
            weather: valid_time, temperature_c; with station_id, several stations; with available_at, vintages.
            station_mix: how to mix stations; the plain mean if left out.
            as_issued: windows see of it only what was known at their origin.

        Raises:
            GridcastError: a time is off the interval grid.
        """
        reports = reports_on(weather, time=self.time, interval=self.interval)
        if station_mix is None:
            mixes = equal_weights(series=len(self.series_ids), stations=len(reports.station_ids))
        else:
            mixes = station_mix.weights(series_ids=self.series_ids, station_ids=reports.station_ids)
        mixed = mix_stations(reports.newest(len(self.time)), weights=mixes.weights)
        known = vintages(reports, weights=mixes.weights, intervals=len(self.time)) if as_issued else None
        return replace(
            self.with_temperature(mixed.temperature_c),
            is_thin=mixed.is_thin,
            mix_of_series=mixes.mix_of_series,
            vintages=known,
        )


def panel_from_frames(
    clean_readings: pl.DataFrame,
    *,
    weather: pl.DataFrame,
    holidays: pl.DataFrame | None,
    time_zones: Mapping[str, str],
    interval: timedelta,
    series_ids: Sequence[str],
    until: datetime | None = None,
    station_mix: StationMix | None = None,
    as_issued: bool = False,
) -> Panel:
    """The panel of `series_ids`, from their first reading to the end of readings and weather, or to `until`.

    Args:
        clean_readings: series_id, valid_time, load_mw, available_at; other series are ignored, null loads are missing.
            Without available_at a load is known when its interval ends.
        weather: see `Panel.with_weather`; vintages of each station first to last.
        holidays: see `local_calendars`; none if left out.
        time_zones: series id → IANA zone.
        interval: length of an interval.
        series_ids: the series axis, in this order.
        until: exclusive end of the grid; by default as far as readings or weather reach.
        station_mix: see `Panel.with_weather`, as is `as_issued`.
        as_issued: windows see the weather as it was known at their origin.

    Raises:
        GridcastError: there is no reading of these series, or a time is off the interval grid.
    """
    ids = tuple(series_ids)
    readings = clean_readings.filter(pl.col("series_id").is_in(ids))
    if readings.is_empty():
        raise GridcastError(f'no readings of {", ".join(ids)}; expected at least one. Run "gridcast prepare" first.')
    start = readings["valid_time"].min()
    time = _grid(start, _end([readings, weather], interval=interval, until=until), interval=interval)
    own = local_calendars({each: time_zones[each] for each in ids}, special_days=holidays, time=time)
    rows = {calendar: row for row, calendar in enumerate(dict.fromkeys(own.values()))}
    load, known_from = _load_on(time, readings, series_ids=ids, interval=interval)
    nothing = np.zeros((1, len(time)), dtype=np.float32)
    bare = Panel(
        series_ids=ids,
        interval=interval,
        time=time,
        load_mw=load,
        known_from=known_from,
        calendar=day_calendar(time, calendars=tuple(rows), interval=interval),
        zone_of_series=np.array([rows[own[each]] for each in ids], dtype=np.int32),
        temperature_c=nothing,
        temperature_terms_c=nothing[..., np.newaxis],
        is_thin=nothing > 0,
        mix_of_series=np.zeros(len(ids), dtype=np.int32),
    )
    return bare.with_weather(weather, station_mix=station_mix, as_issued=as_issued)


def _aware(moment: np.datetime64) -> datetime:
    plain: datetime = moment.astype("datetime64[us]").item()
    return plain.replace(tzinfo=UTC)


def _end(frames: Sequence[pl.DataFrame], *, interval: timedelta, until: datetime | None) -> datetime:
    if until is not None:
        return until.astimezone(UTC)
    latest: datetime = max(frame["valid_time"].max() for frame in frames if not frame.is_empty())  # type: ignore[type-var,assignment]
    return latest + interval


def _grid(start: object, end: datetime, *, interval: timedelta) -> npt.NDArray[np.datetime64]:
    step = np.timedelta64(interval)
    first = np.datetime64(_naive(start), "us")
    last = np.datetime64(_naive(end), "us")
    if last <= first:
        raise GridcastError(f"the history starts {first}Z and ends {last}Z; expected an end after its start.")
    return np.arange(first, last, step)


def _naive(moment: object) -> datetime:
    if not isinstance(moment, datetime):
        raise TypeError(f"{moment!r} is not a time")
    return moment.astimezone(UTC).replace(tzinfo=None)


def _load_on(
    time: npt.NDArray[np.datetime64], readings: pl.DataFrame, *, series_ids: tuple[str, ...], interval: timedelta
) -> tuple[Floats, Ints]:
    """Loads (series, time) and the first position at which each is known: never before its interval has ended."""
    load = np.full((len(series_ids), len(time)), np.nan, dtype=np.float32)
    known_from = np.broadcast_to(np.arange(1, len(time) + 1, dtype=np.int32), load.shape).copy()
    order = pl.DataFrame({"series_id": list(series_ids), "row": range(len(series_ids))})
    rows = readings.join(order, on="series_id", how="inner", maintain_order="left")
    steps = positions(rows["valid_time"], time=time, interval=interval, what="reading")
    inside = steps < len(time)
    row, step = rows["row"].to_numpy()[inside], steps[inside]
    load[row, step] = rows["load_mw"].cast(pl.Float32).to_numpy()[inside]
    if "available_at" in rows.columns:
        arrived = known_positions(rows["available_at"], time=time, interval=interval)[inside]
        known_from[row, step] = np.maximum(known_from[row, step], arrived)
    return load, known_from
