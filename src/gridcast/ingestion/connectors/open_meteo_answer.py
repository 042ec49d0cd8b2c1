"""What Open-Meteo answers, as temperatures."""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, NoReturn

import polars as pl

from gridcast.domain.errors import GridcastError
from gridcast.ingestion.tabular.columns import ROW, Parsed, parse_columns
from gridcast.ingestion.tabular.formats import TextFormat, WeatherFormat, weather_layout

HOURLY: Final = "hourly"
QUARTER_HOURLY: Final = "minutely_15"
INTERVALS: Final = {HOURLY: timedelta(hours=1), QUARTER_HOURLY: timedelta(minutes=15)}
_UNITS: Final = {"°C": "C", "°F": "F"}


def read_answer(
    body: bytes, *, url: str, station_ids: Sequence[str], block: str, variable: str, null_is_dead: bool
) -> Parsed:
    """WEATHER of one variable of the stations asked for, in their order, each value available at its interval's end.

    A value that is null is left out; with `null_is_dead` it is kept among the DEAD_ROWS, as are values that are none.

    Raises:
        GridcastError: the answer is not JSON, not about as many places, or lacks a part.
    """
    places = _places(body, url=url)
    if len(places) != len(station_ids):
        _refuse(url, f"{len(places)} places", f"{len(station_ids)}")
    parts = [
        _read_place(place, url=url, station_id=station_id, block=block, variable=variable, null_is_dead=null_is_dead)
        for station_id, place in zip(station_ids, places, strict=True)
    ]
    return Parsed(pl.concat([part.rows for part in parts]), pl.concat([part.dead for part in parts]))


def _places(body: bytes, *, url: str) -> list[Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise GridcastError(
            f"{url}: the answer is not JSON ({error}; it starts with {body[:60]!r}); expected that of Open-Meteo. "
            "Check the address in the settings, or try again later."
        ) from error
    if isinstance(answer, dict) and answer.get("error"):
        _refuse(url, f"the refusal {answer.get('reason')!r}", "temperatures")
    return answer if isinstance(answer, list) else [answer]


def _read_place(place: Any, *, url: str, station_id: str, block: str, variable: str, null_is_dead: bool) -> Parsed:
    offset = _part(place, "utc_offset_seconds", int, url=url)
    unit = _part(_part(place, f"{block}_units", dict, url=url), variable, str, url=url)
    values = _part(place, block, dict, url=url)
    times, temperatures = _part(values, "time", list, url=url), _part(values, variable, list, url=url)
    if len(times) != len(temperatures):
        _refuse(url, f"{len(times)} times and {len(temperatures)} temperatures", "as many of both")
    if unit not in _UNITS:
        _refuse(url, f"temperatures in {unit!r}", f"one of {', '.join(_UNITS)}")
    pairs = [pair for pair in zip(times, temperatures, strict=True) if null_is_dead or pair[1] is not None]
    table = pl.DataFrame(
        {
            ROW: pl.int_range(1, len(pairs) + 1, eager=True),
            "station_id": pl.repeat(station_id, len(pairs), dtype=pl.String, eager=True),
            "valid_time": [f"{time}{_offset(offset)}" for time, _ in pairs],
            "temperature_c": [None if value is None else str(value) for _, value in pairs],
        },
        schema_overrides={"valid_time": pl.String(), "temperature_c": pl.String()},
    )
    layout = weather_layout(
        WeatherFormat(unit=_UNITS[unit], text=TextFormat(interval=INTERVALS[block], time_zone="UTC"))
    )
    return parse_columns(table, layout=layout, source=station_id, stem=station_id)


def _part(whole: Any, name: str, kind: type, *, url: str) -> Any:
    if not isinstance(whole, Mapping) or not isinstance(whole.get(name), kind):
        _refuse(url, f"no {name!r} that is a {kind.__name__}", "it")
    return whole[name]


def _offset(seconds: int) -> str:
    sign, minutes = "-" if seconds < 0 else "+", abs(seconds) // 60
    return f"{sign}{minutes // 60:02d}:{minutes % 60:02d}"


def _refuse(url: str, received: str, expected: str) -> NoReturn:
    raise GridcastError(
        f"{url}: the answer has {received}; expected {expected}. Check the address and the places in the settings."
    )
