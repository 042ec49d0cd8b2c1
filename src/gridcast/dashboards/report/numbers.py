"""Numbers and times as people read them; a dash stands for nothing to say."""

import math
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

NOTHING: Final = "—"
_MINUS: Final = "\N{MINUS SIGN}"


def megawatts(value: float | None) -> str:
    """Three significant digits, whole above a hundred, thousands separated.

    >>> megawatts(1834.6), megawatts(12.345), megawatts(0.0421)
    ('1,835', '12.3', '0.0421')
    """
    if value is None or math.isnan(value):
        return NOTHING
    size = abs(value)
    digits = 0 if size >= 99.95 else 1 if size >= 9.995 else 2 if size >= 0.9995 else 3 if size >= 0.09995 else 4
    return _signed(f"{value:,.{digits}f}")


def tick(value: float) -> str:
    """A value on an axis, no digit more than needed: '1,600', '7.5', '0'."""
    return _signed(f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}")


def percent(share: float | None, *, digits: int = 1) -> str:
    """A share as per cent, a hard space before the sign: 0.046 → '4.6 %'."""
    return NOTHING if share is None or math.isnan(share) else _signed(f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%")


def count(value: float | None) -> str:
    """A whole number, thousands separated: 250992 → '250,992'."""
    return NOTHING if value is None else f"{int(value):,}"


def utc(moment: datetime) -> str:
    """A moment in UTC to the minute: '2008-06-30 05:00 UTC'."""
    return f"{moment.astimezone(ZoneInfo('UTC')):%Y-%m-%d %H:%M} UTC"


def local(moment: datetime, *, time_zone: str, has_year: bool = False) -> str:
    """A moment on the clock of a zone: 'Mon 30 Jun, 05:00', with the year if asked for."""
    clock = moment.astimezone(ZoneInfo(time_zone))
    year = f" {clock.year}" if has_year else ""
    return f"{clock:%a} {clock.day} {clock:%b}{year}, {clock:%H:%M}"


def zone_name(time_zone: str, *, at: datetime) -> str:
    """The zone with its offset at that moment: 'Europe/London (UTC+01:00)'."""
    offset = ZoneInfo(time_zone).utcoffset(at.astimezone(ZoneInfo(time_zone))) or timedelta(0)
    hours, minutes = divmod(abs(offset) // timedelta(minutes=1), 60)
    sign = _MINUS if offset < timedelta(0) else "+"
    return f"{time_zone} (UTC{sign}{hours:02d}:{minutes:02d})"


def _signed(text: str) -> str:
    return text.replace("-", _MINUS)
