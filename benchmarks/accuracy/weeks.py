"""GEFCom2012's own task: eight weeks withheld amid the history, and the week after its end without its weather."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.accuracy.tasks import sample_with_system
from gridcast.features.day_calendar import DayCalendar
from gridcast.features.panel import Panel
from gridcast.features.station_choice import learn_station_mix
from gridcast.features.station_reports import reports_on
from gridcast.ingestion.sample import INTERVAL

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
Ask = Callable[[Panel, Ints], Floats]
"""Median forecasts, MW, (series, window, lead), of all series of a panel from each of some positions (window,)."""
Learn = Callable[[Panel, int], Ask]
"""From a panel and the end of what may be learned to what can be asked."""
Temperatures = npt.NDArray[np.float32]

LEADS = 168
BACKCAST = tuple(
    datetime(*day, 5, tzinfo=UTC)
    for day in (
        (2005, 3, 6),
        (2005, 6, 20),
        (2005, 9, 10),
        (2005, 12, 25),
        (2006, 2, 13),
        (2006, 5, 25),
        (2006, 8, 2),
        (2006, 11, 22),
    )
)
FORECAST = datetime(2008, 7, 1, 5, tzinfo=UTC)
PAST_YEARS = (1, 2, 3, 4)
SHIFTED_DAYS = tuple(range(-7, 8))
"""Weather of the forecast week: that of each past year on the same date and up to a week off."""
LEAST_SHARE = 0.25
"""Of what is seen from the farther end of a withheld week: `week_sides` tells why."""
SYSTEM_WEIGHT = 20
"""Of the system beside each of its zones in the competition."""
_KW_PER_MW = 1_000


class Sides(NamedTuple):
    """Loads of weeks amid the history, MW, both (week, series, lead): as seen from their beginning and their end."""

    ahead: Floats
    back: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Weeks:
    """The history with its gaps, the grid reaching to the end of the forecast week.

    Attributes:
        panel: 20 zones and their sum; loads and temperatures end where the history does.
        mirrored: the same history running backwards.
        until: position of the end of the history.
        withheld: (week,) first positions of the weeks withheld amid it.
        last: first position of the forecast week.
    """

    panel: Panel
    mirrored: Panel
    until: int
    withheld: Ints
    last: int


def read_weeks() -> Weeks:
    """The competition as its participants had it, with the station mix that gridcast learns by default."""
    panel, weather = sample_with_system(until=FORECAST + LEADS * INTERVAL)
    until = int(np.isfinite(panel.load_mw).any(axis=0).nonzero()[0][-1]) + 1
    mix = learn_station_mix(panel, reports_on(weather, time=panel.time, interval=INTERVAL), until=until)
    mixed = panel.with_weather(weather, station_mix=mix)
    withheld = np.array([panel.index_of(each) for each in BACKCAST], dtype=np.int32)
    return Weeks(mixed, mirror(mixed, until=until), until, withheld, panel.index_of(FORECAST))


def mirror(panel: Panel, *, until: int) -> Panel:
    """The history before position `until` running backwards: the future becomes what is known.

    Temperature terms keep looking into the true past, as buildings do. The clock must be one without changes.
    """

    def turned(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.ascontiguousarray(values[:, :until][:, ::-1])

    calendar = panel.calendar
    return replace(
        panel,
        time=panel.time[:until],
        load_mw=turned(panel.load_mw),
        known_from=panel.known_from[:, :until],
        temperature_c=turned(panel.temperature_c),
        temperature_terms_c=turned(panel.temperature_terms_c),
        is_thin=turned(panel.is_thin),
        calendar=DayCalendar(
            hour_of_day=turned(calendar.hour_of_day),
            weekday=turned(calendar.weekday),
            day_of_year=turned(calendar.day_of_year),
            holiday=turned(calendar.holiday),
            lag=calendar.lag[..., :until],
        ),
    )


def solve(weeks: Weeks, learn: Learn) -> Floats:
    """Loads of all weeks, MW, (week, series, lead), the forecast week last.

    A withheld week is forecast from both its sides. The forecast week, whose weather nobody knew, is the mean over the
    weather of past years: `week_weather` tells why.
    """
    forward = learn(weeks.panel, weeks.until)
    withheld = seen(weeks, weeks.withheld, forward=forward, backward=learn(weeks.mirrored, weeks.until))
    week = over_past_weather(forward, weeks.panel, origin=weeks.last, years=PAST_YEARS)
    return np.concatenate([between(withheld), week[np.newaxis]])


def seen(weeks: Weeks, origins: Ints, *, forward: Ask, backward: Ask) -> Sides:
    """Weeks from some positions on, forecast from their beginning and, backwards in time, from their end."""
    ahead = forward(weeks.panel, origins)
    back = backward(weeks.mirrored, (weeks.until - origins - LEADS).astype(np.int32))[..., ::-1]
    return Sides(ahead.swapaxes(0, 1), back.swapaxes(0, 1))


def between(sides: Sides, *, least_share: float = LEAST_SHARE) -> Floats:
    """Loads (week, series, lead) of which each side has a share that grows with its nearness.

    >>> week = Sides(np.zeros((1, 1, LEADS)), np.ones((1, 1, LEADS)))
    >>> between(week, least_share=0.25)[0, 0, [0, 84, 167]].round(2)
    array([0.25, 0.5 , 0.75])
    """
    share = least_share + (1 - 2 * least_share) * (np.arange(LEADS) + 0.5) / LEADS
    return sides.ahead * (1 - share) + sides.back * share


def over_past_weather(ask: Ask, panel: Panel, *, origin: int, years: tuple[int, ...]) -> Floats:
    """Mean forecast (series, lead) over the weather of other years, so many ago, around the same date."""
    at = np.array([origin], dtype=np.int32)
    return np.mean(
        [ask(_with_week(panel, origin, other), at)[:, 0] for other in _other_weeks(panel, origin, years)], axis=0
    )


def without_weather(ask: Ask, panel: Panel, *, origin: int) -> Floats:
    """Forecast (series, lead) without any temperature from the origin on."""
    nothing = np.full((len(panel.temperature_c), LEADS), np.nan, dtype=np.float32)
    return ask(_with_week(panel, origin, nothing), np.array([origin], dtype=np.int32))[:, 0]


def _other_weeks(panel: Panel, origin: int, years: tuple[int, ...]) -> Iterator[Temperatures]:
    for year in years:
        for days in SHIFTED_DAYS:
            start = origin - round(365.25 * year) * 24 + 24 * days
            yield panel.temperature_c[:, start : start + LEADS]


def _with_week(panel: Panel, origin: int, temperature_c: Temperatures) -> Panel:
    """The panel with these temperatures (mix, lead) of the week from the origin on, and none after it."""
    changed = panel.temperature_c.copy()
    changed[:, origin : origin + LEADS] = temperature_c
    changed[:, origin + LEADS :] = np.nan
    return panel.with_temperature(changed)


def coherent(loads: Floats) -> Floats:
    """The system row (last of the series axis) as the mean of its own forecast and the sum of its zones."""
    result = loads.copy()
    result[:, -1] = (loads[:, -1] + loads[:, :-1].sum(axis=1)) / 2
    return result


def error_kw(loads: Floats, actual: npt.NDArray[np.floating]) -> int:
    """Weighted root mean square error of loads (week, series, lead), MW, the system last."""
    weight = np.ones(actual.shape)
    weight[:, -1] = SYSTEM_WEIGHT
    is_known = np.isfinite(actual)
    squared = (coherent(loads) - actual) ** 2
    return round(_KW_PER_MW * float(np.sqrt(np.average(squared[is_known], weights=weight[is_known]))))


def without(weeks: Weeks, origins: Ints) -> Weeks:
    """The same without the loads of other weeks, from some positions on, in either direction."""
    load = weeks.panel.load_mw.copy()
    for origin in origins:
        load[:, origin : origin + LEADS] = np.nan
    panel = replace(weeks.panel, load_mw=load)
    return replace(weeks, panel=panel, mirrored=mirror(panel, until=weeks.until))


def actual_mw(weeks: Weeks, origins: Ints) -> npt.NDArray[np.float32]:
    """What came in weeks from some positions on, (week, series, lead)."""
    return np.stack([weeks.panel.load_mw[:, origin : origin + LEADS] for origin in origins])
