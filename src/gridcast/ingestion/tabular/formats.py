"""How a user's own files are laid out: column names, units, interval and clock."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import polars as pl

from gridcast.domain.errors import UsageError
from gridcast.domain.series import require_time_zone
from gridcast.domain.tables import READINGS, WEATHER

POWER_UNITS: Final = {"MW": 1.0, "kW": 1e-3}
ENERGY_UNITS: Final = {"MWh": 1.0, "kWh": 1e-3}
TEMPERATURE_UNITS: Final = ("C", "F")
THOUSANDS: Final = (",", ".", " ", "'")
"""What may group digits; a blank stands for the blanks that do not break a line too, ' for the raised comma."""
_SEPARATOR: Final = re.compile(r"[\t !#$%&'()*+,./:;<=>?@^_`|~-]")


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFormat:
    """How times and numbers are written.

    `time_zone`: clock of timestamps without a UTC offset. `time_format`: strptime pattern, when not ISO 8601.
    `interval`: length of each reading, labelled by its start. `thousands`: what groups digits, such as the point in
    1.234,5. `encoding`: of the file; None: it is recognised.

    Raises:
        UsageError: the zone, the interval, the time format, the separators or the encoding cannot be used.
    """

    interval: timedelta = timedelta(hours=1)
    time_zone: str | None = None
    time_format: str | None = None
    separator: str = ","
    decimal_comma: bool = False
    thousands: str | None = None
    encoding: str | None = None

    def __post_init__(self) -> None:
        if self.time_zone is not None:
            require_time_zone(self.time_zone, owner="file format")
        if self.interval <= timedelta(0):
            raise UsageError(f"file format: interval {self.interval} is not positive; expected for example 1:00:00.")
        if not _SEPARATOR.fullmatch(self.separator) or (self.decimal_comma and self.separator == ","):
            raise UsageError(
                f"file format: separator {self.separator!r} cannot be used; expected one ASCII character such as ';', "
                "other than ',' when numbers have a decimal comma."
            )
        if self.thousands not in (None, *THOUSANDS) or self.thousands == self.decimal_mark:
            raise UsageError(
                f"file format: thousands {self.thousands!r} cannot be used beside the decimal mark "
                f"{self.decimal_mark!r}; expected another one of {THOUSANDS}."
            )
        if self.time_format is not None:
            _require_time_format(self.time_format)
        if self.encoding is not None and not _is_encoding(self.encoding):
            raise UsageError(
                f"file format: encoding {self.encoding!r} is unknown; expected for example 'utf-8' or 'windows-1252'."
            )

    @property
    def decimal_mark(self) -> str:
        """What stands between the whole and the fraction of a number."""
        return "," if self.decimal_comma else "."


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFormat:
    """Columns and unit of files with readings, one row per series and interval.

    `series_id` None: the file's name without its ending names the series. `received` None: a reading is known when its
    interval ends. Energy (kWh, MWh) is divided by the interval.

    Raises:
        UsageError: the unit is unknown.
    """

    series_id: str | None = "series_id"
    valid_time: str = "valid_time"
    load: str = "load_mw"
    received: str | None = None
    unit: str = "MW"
    text: TextFormat = TextFormat()

    def __post_init__(self) -> None:
        accepted = [*POWER_UNITS, *ENERGY_UNITS]
        if self.unit not in accepted:
            raise UsageError(f"file format: unit {self.unit!r} of column {self.load!r}; expected one of {accepted}.")

    @property
    def mw_per_unit(self) -> float:
        """Mean MW over the interval that one unit stands for."""
        if self.unit in POWER_UNITS:
            return POWER_UNITS[self.unit]
        return ENERGY_UNITS[self.unit] / (self.text.interval / timedelta(hours=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class WeatherFormat:
    """Columns and unit of files with temperatures, one row per station and interval; see FileFormat.

    Raises:
        UsageError: the unit is unknown.
    """

    station_id: str | None = "station_id"
    valid_time: str = "valid_time"
    temperature: str = "temperature_c"
    received: str | None = None
    unit: str = "C"
    text: TextFormat = TextFormat()

    def __post_init__(self) -> None:
        if self.unit not in TEMPERATURE_UNITS:
            raise UsageError(
                f"file format: unit {self.unit!r} of column {self.temperature!r}; expected one of {TEMPERATURE_UNITS}."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What both kinds of file have in common: value × `scale` + `shift` is the value of the `schema`'s third column."""

    schema: pl.Schema
    identity: str | None
    valid_time: str
    value: str
    received: str | None
    scale: float
    shift: float
    noun: str
    text: TextFormat

    @property
    def columns(self) -> list[str]:
        """Names of the columns a file must have."""
        return [name for name in (self.identity, self.valid_time, self.value, self.received) if name is not None]


def readings_layout(file_format: FileFormat) -> Layout:
    """Where the parts of READINGS stand in a file."""
    return Layout(
        schema=READINGS,
        identity=file_format.series_id,
        valid_time=file_format.valid_time,
        value=file_format.load,
        received=file_format.received,
        scale=file_format.mw_per_unit,
        shift=0.0,
        noun="load",
        text=file_format.text,
    )


def weather_layout(weather_format: WeatherFormat) -> Layout:
    """Where the parts of WEATHER stand in a file."""
    is_fahrenheit = weather_format.unit == "F"
    return Layout(
        schema=WEATHER,
        identity=weather_format.station_id,
        valid_time=weather_format.valid_time,
        value=weather_format.temperature,
        received=weather_format.received,
        scale=1 / 1.8 if is_fahrenheit else 1.0,
        shift=-32 / 1.8 if is_fahrenheit else 0.0,
        noun="temperature",
        text=weather_format.text,
    )


def _require_time_format(pattern: str) -> None:
    try:
        pl.Series(["2024-01-31"]).str.to_datetime(pattern, strict=False)
    except pl.exceptions.PolarsError as error:
        told = str(error).partition("\n")[0].rstrip(".")
        raise UsageError(
            f"file format: time_format {pattern!r} cannot be used ({told}); expected a pattern such as "
            "'%d/%m/%Y %H:%M', or '%d/%m/%Y %I:%M %p' for a clock of 12 hours."
        ) from error


def _is_encoding(name: str) -> bool:
    try:
        return "a,1".encode(name).decode(name) == "a,1"
    except (LookupError, UnicodeError, ValueError):
        return False
