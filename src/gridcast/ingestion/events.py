"""One-off events, from a CSV file that people keep. A wrong file is refused as a whole, before any work starts."""

from collections.abc import Collection, Mapping
from datetime import date, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import polars as pl

from gridcast.domain.tables import EVENTS
from gridcast.ingestion.tabular.handwritten import read_handwritten
from gridcast.quality.edits import LINE, refuse_rows

_LONGEST: Final = timedelta(days=366)
_DAY: Final = "a local day, such as '2024-11-05'"


def read_events(path: Path, *, known_series: Collection[str] | None = None) -> pl.DataFrame:
    """EVENTS in a CSV file with the columns start, name and, as needed, end and series, in any order.

    Without an end an event is over after its first day; without series it is everybody's. With `known_series`, a
    pattern that fits none of them is refused.

    Raises:
        UsageError: there is no such file, or it is wrong; wrong rows are told with line, value and expectation.
    """
    rows = read_handwritten(path, columns=("start", "name"), optional=("end", "series"), setting="calendar.events")
    events, problems = [], []
    for row in rows.iter_rows(named=True):
        try:
            events.append(_event(row, known_series=known_series))
        except ValueError as error:
            problems.append(f"{path}:{row[LINE]}: {error}.")
    refuse_rows(problems, source=str(path))
    return pl.DataFrame(events, schema=EVENTS, orient="row").sort("start", maintain_order=True)


def _event(row: Mapping[str, str], *, known_series: Collection[str] | None) -> tuple[date, date, str, str]:
    text = {name: row[name].strip() for name in EVENTS.names()}
    start = _day(text, "start")
    end = _day(text, "end") if text["end"] else start
    if not start <= end < start + _LONGEST:
        raise ValueError(f"end is {text['end']!r}; expected the last day of an event that began on {start}, or nothing")
    if not text["name"]:
        raise ValueError("name is empty; expected what happens")
    series = text["series"] or "*"
    if known_series is not None and not any(fnmatchcase(each, series) for each in known_series):
        raise ValueError(f"series is {series!r}; expected a pattern that fits the id of a series, such as 'north_*'")
    return start, end, text["name"], series


def _day(text: Mapping[str, str], name: str) -> date:
    try:
        return date.fromisoformat(text[name])
    except ValueError as error:
        raise ValueError(f"{name} is {text[name]!r}; expected {_DAY}") from error
