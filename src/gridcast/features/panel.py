"""A panel: load, temperature and local calendar of many series on one regular UTC grid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from gridcast.domain.errors import GridcastError
from gridcast.features.day_calendar import DayCalendar, day_calendar
from gridcast.features.temperature_terms import temperature_terms

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """Everything windows are cut from. Time labels interval starts, UTC; missing values are NaN.

    Attributes:
        series_ids: names of the series axis.
        interval: length of an interval.
        time: (time,) datetime64[us], regular and gapless; it may reach beyond the newest load.
        load_mw: (series, time).
        known_from: (series, time), first position at which a forecast may look at that load.
        temperature_c: (time,), °C.
        temperature_terms_c: (time, term): now and trailing means, see `TEMPERATURE_TERMS`.
        calendar: local calendar terms per time zone.
        zone_of_series: (series,) row of each series in `calendar`.
    """

    series_ids: tuple[str, ...]
    interval: timedelta
    time: npt.NDArray[np.datetime64]
    load_mw: Floats
    known_from: Ints
    temperature_c: Floats
    temperature_terms_c: Floats
    calendar: DayCalendar
    zone_of_series: Ints

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

    def with_temperature(self, temperature_c: Floats) -> "Panel":
        """The same panel with another temperature (time,)."""
        terms = temperature_terms(temperature_c, interval=self.interval)
        return replace(self, temperature_c=temperature_c, temperature_terms_c=terms)


def panel_from_frames(
    clean_readings: pl.DataFrame,
    *,
    weather: pl.DataFrame,
    holidays: pl.DataFrame | None,
    time_zones: Mapping[str, str],
    interval: timedelta,
    series_ids: Sequence[str],
    until: datetime | None = None,
) -> Panel:
    """The panel of `series_ids`, from their first reading to the end of readings and weather, or to `until`.

    Args:
        clean_readings: series_id, valid_time, load_mw, available_at; other series are ignored, null loads are missing.
            Without available_at a load is known when its interval ends.
        weather: valid_time, temperature_c; one row per interval.
        holidays: date (local), name; none if left out.
        time_zones: series id → IANA zone.
        interval: length of an interval.
        series_ids: the series axis, in this order.
        until: exclusive end of the grid; by default as far as readings or weather reach.

    Raises:
        GridcastError: there is no reading of these series, or a time is off the interval grid.
    """
    ids = tuple(series_ids)
    readings = clean_readings.filter(pl.col("series_id").is_in(ids))
    if readings.is_empty():
        raise GridcastError(f'no readings of {", ".join(ids)}; expected at least one. Run "gridcast prepare" first.')
    start = readings["valid_time"].min()
    time = _grid(start, _end([readings, weather], interval=interval, until=until), interval=interval)
    temperature = _temperature_on(time, weather, interval=interval)
    zones = tuple(dict.fromkeys(time_zones[each] for each in ids))
    load, known_from = _load_on(time, readings, series_ids=ids, interval=interval)
    return Panel(
        series_ids=ids,
        interval=interval,
        time=time,
        load_mw=load,
        known_from=known_from,
        temperature_c=temperature,
        temperature_terms_c=temperature_terms(temperature, interval=interval),
        calendar=day_calendar(time, time_zones=zones, holidays=holidays, interval=interval),
        zone_of_series=np.array([zones.index(time_zones[each]) for each in ids], dtype=np.int32),
    )


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


def _positions(times: pl.Series, *, time: npt.NDArray[np.datetime64], interval: timedelta, what: str) -> Ints:
    since = times.dt.epoch("us").to_numpy() - time[0].astype(np.int64)
    steps, rest = np.divmod(since, interval // timedelta(microseconds=1))
    if rest.any():
        off = times[int(np.flatnonzero(rest)[0])]
        raise GridcastError(
            f"{what} at {off}: not on the grid of {interval} from {time[0]}Z; "
            'expected interval starts only. Run "gridcast prepare" again.'
        )
    positions: Ints = steps.astype(np.int32)
    return positions


def _load_on(
    time: npt.NDArray[np.datetime64], readings: pl.DataFrame, *, series_ids: tuple[str, ...], interval: timedelta
) -> tuple[Floats, Ints]:
    """Loads (series, time) and the first position at which each is known: never before its interval has ended."""
    load = np.full((len(series_ids), len(time)), np.nan, dtype=np.float32)
    known_from = np.broadcast_to(np.arange(1, len(time) + 1, dtype=np.int32), load.shape).copy()
    order = pl.DataFrame({"series_id": list(series_ids), "row": range(len(series_ids))})
    rows = readings.join(order, on="series_id", how="inner", maintain_order="left")
    steps = _positions(rows["valid_time"], time=time, interval=interval, what="reading")
    inside = steps < len(time)
    row, step = rows["row"].to_numpy()[inside], steps[inside]
    load[row, step] = rows["load_mw"].cast(pl.Float32).to_numpy()[inside]
    if "available_at" in rows.columns:
        since = rows["available_at"].dt.epoch("us").to_numpy()[inside] - time[0].astype(np.int64)
        arrived = -(-since // (interval // timedelta(microseconds=1)))
        known_from[row, step] = np.maximum(known_from[row, step], arrived)
    return load, known_from


def _temperature_on(time: npt.NDArray[np.datetime64], weather: pl.DataFrame, *, interval: timedelta) -> Floats:
    temperature = np.full(len(time), np.nan, dtype=np.float32)
    steps = _positions(weather["valid_time"], time=time, interval=interval, what="weather")
    inside = (steps >= 0) & (steps < len(time))
    temperature[steps[inside]] = weather["temperature_c"].cast(pl.Float32).to_numpy()[inside]
    return temperature
