"""An explanation in one sentence."""

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo


def in_words(hour: Mapping[str, Any], *, groups: Sequence[str], time_zone: str) -> str:
    """What moved the forecast of one interval, a row as of `side_by_side`, the largest contribution of `groups` first.

    Times are on the clock of the zone. A forecast that was issued earlier speaks of the same interval, that of the
    reference window of another one.
    """
    clock, issued = (hour[name].astimezone(ZoneInfo(time_zone)) for name in ("valid_time", "reference_issue_time"))
    days = round((hour["valid_time"] - hour["reference_valid_time"]) / timedelta(days=1))
    same_time = f"that of the same wall time {days} day{'s' if days > 1 else ''} before"
    compared = same_time if days else f"the one issued {issued:%a %H:%M}"
    median = _contributions(hour, groups=groups, of="")
    band = _contributions(hour, groups=groups, of="width_80_")
    return (
        f"forecast of {hour['series_id']} for {clock:%a} {clock.day} {clock:%b %Y, %H:%M} ({time_zone}): {median} "
        f"against {compared}; 80 % band: {band}"
    )


def _contributions(hour: Mapping[str, Any], *, groups: Sequence[str], of: str) -> str:
    """'1,834 MW, +42 MW (weather +35, recent load +9, calendar −2)'."""
    change = hour[f"{of}change_mw"]
    contributions = {group.replace("_", " "): hour[f"{of}{group}_mw"] for group in groups}
    digits = _digits(max(abs(each) for each in (change, *contributions.values())))
    ordered = sorted(contributions.items(), key=lambda each: -abs(each[1]))
    told = ", ".join(f"{name} {_signed(value, digits=digits)}" for name, value in ordered)
    return f"{hour[f'{of}forecast_mw']:,.{digits}f} MW, {_signed(change, digits=digits)} MW ({told})"


def _digits(largest: float) -> int:
    """Decimals that show three digits of the largest of some values."""
    return 0 if largest < 1e-4 else min(max(2 - math.floor(math.log10(largest)), 0), 4)


def _signed(value: float, *, digits: int) -> str:
    text = f"{round(value, digits) + 0.0:+,.{digits}f}"
    return text.replace("-", "\N{MINUS SIGN}")
