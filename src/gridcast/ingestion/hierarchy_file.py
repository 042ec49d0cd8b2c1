"""The tree of series from a CSV file: a row for each series, several where it moved from one parent to another."""

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Final, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from gridcast.domain.errors import UsageError
from gridcast.domain.membership import Membership
from gridcast.domain.series import Hierarchy, Level, Series, require_time_zone, tree_problems
from gridcast.ingestion.tabular.columns import Table
from gridcast.ingestion.tabular.csv_text import read_csv
from gridcast.ingestion.tabular.file_content import read_content
from gridcast.ingestion.tabular.formats import TextFormat

NEEDED: Final = ("series_id", "level", "parent_id")
OPTIONAL: Final = ("time_zone", "since", "until", "name", "latitude", "longitude")
"""Names and places are for people; gridcast does not use them."""

_HEADER_LINE: Final = 1
_BLANK: Final = dict.fromkeys((*NEEDED, *OPTIONAL), "")
_MOST_SHOWN: Final = 50
_Value = TypeVar("_Value")


class _Row(NamedTuple):
    line: int
    series_id: str
    level: Level
    time_zone: str
    membership: Membership | None


class _Problem(NamedTuple):
    line: int
    text: str


def read_hierarchy(path: Path, *, time_zone: str | None = None) -> Hierarchy:
    """The tree in a CSV file with the columns `NEEDED` and any of `OPTIONAL`.

    Several rows of a series are its parents over time. `since` and `until` are ISO 8601 times with an offset, or local
    days of the series, which begin at midnight. `time_zone` is the zone of rows that give none.

    Raises:
        UsageError: the file cannot be used; every problem is told with its line.
    """
    rows: dict[str, list[_Row]] = {}
    problems: list[_Problem] = []
    unclear: set[str] = set()
    for line, cells in _records(path, problems):
        found: list[str] = []
        row = _row(line, cells, time_zone=time_zone, problems=found)
        problems += [_Problem(line, text) for text in found]
        if row is None:
            unclear.add(cells["series_id"])
        else:
            rows.setdefault(row.series_id, []).append(row)
    series = [
        each
        for series_id, its_rows in rows.items()
        if series_id not in unclear and (each := _series(its_rows, problems, unclear)) is not None
    ]
    for problem in tree_problems(series, also_there=unclear):
        problems.append(_Problem(_line_of(rows, problem.series_id, problem.parent_id), problem.text))
    if problems:
        raise UsageError(_told(path, problems))
    return Hierarchy(tuple(series))


def _records(path: Path, problems: list[_Problem]) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and cells by column, without blanks around them, of every row; other lines are problems."""
    table = _table(path)
    names = [name.casefold() for name in table.header]
    _require_columns(path, names)
    for _, row, reason, raw in table.dead.iter_rows():
        problems.append(
            _Problem(_HEADER_LINE + row, f"no row of a CSV file ({reason}): {raw!r}; expected one as above.")
        )
    for row, *cells in table.rows.iter_rows():
        filled = {name: cell.strip() for name, cell in zip(names, cells, strict=True) if cell is not None}
        if any(filled.values()):
            yield _HEADER_LINE + row, _BLANK | filled


def _table(path: Path) -> Table:
    columns = f"expected a CSV file with the columns {', '.join(NEEDED)}"
    if not path.is_file():
        raise UsageError(
            f"{path}: there is no such file; {columns}. Set hierarchy.file in config/pipeline_config.yaml."
        )
    content = read_content(path)
    top = content.data.split(b"\n", 1)[0]
    separator = max(",;\t", key=lambda each: top.count(each.encode()))
    table = read_csv(content, file=path, text=TextFormat(separator=separator))
    if table is None:
        raise UsageError(f"{path}: the file is empty; {columns}.")
    return table


def _require_columns(path: Path, names: Sequence[str]) -> None:
    known = [*NEEDED, *OPTIONAL]
    problems = [f"there is no column {each!r}" for each in NEEDED if each not in names]
    for each in names:
        if each not in known:
            problems.append(f"column {each!r} is unknown{_hint(each, known)}")
        elif names.count(each) > 1:
            problems.append(f"column {each!r} comes twice")
    if problems:
        raise UsageError(f"{path}:1: {'; '.join(dict.fromkeys(problems))}; accepted are {', '.join(known)}.")


def _row(line: int, cells: Mapping[str, str], *, time_zone: str | None, problems: list[str]) -> _Row | None:
    """The row's parts, or None with the reasons added to `problems`."""
    series_id = cells["series_id"]
    if not series_id:
        problems.append("there is no series_id; expected the name of the series as its readings have it.")
    level = _tried(problems, _level, cells["level"])
    zone = _tried(problems, _zone, cells["time_zone"] or time_zone)
    since, until = (_tried(problems, _moment, each, cells[each], zone or "UTC") for each in ("since", "until"))
    membership = _tried(problems, _membership, cells["parent_id"], since, until)
    if problems or level is None or zone is None:
        return None
    return _Row(line, series_id, level, zone, membership)


def _tried(problems: list[str], parse: Callable[..., _Value], *given: object) -> _Value | None:
    try:
        return parse(*given)
    except UsageError as error:
        problems.append(str(error))
        return None


def _level(text: str) -> Level:
    levels = list(Level)
    if text.casefold() not in levels:
        raise UsageError(f"level {text!r}; expected {', '.join(levels)}{_hint(text.casefold(), levels)}.")
    return Level(text.casefold())


def _zone(name: str | None) -> str:
    if name is None:
        raise UsageError("there is no time_zone; expected an IANA zone here or as hierarchy.time_zone in the settings.")
    require_time_zone(name, owner="time_zone")
    return name


def _moment(column: str, text: str, zone: str) -> datetime | None:
    if not text:
        return None
    wanted = "expected a local day such as 2024-03-31 or a time with its offset such as 2024-03-31T06:00+01:00"
    try:
        if len(text) == len("2024-03-31"):
            return datetime.combine(date.fromisoformat(text), time(), tzinfo=ZoneInfo(zone)).astimezone(UTC)
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{column} {text!r} is no time; {wanted}.") from error
    if moment.tzinfo is None:
        raise UsageError(f"{column} {text!r} has no UTC offset; {wanted}.")
    return moment.astimezone(UTC)


def _membership(parent_id: str, since: datetime | None, until: datetime | None) -> Membership | None:
    if parent_id:
        return Membership(parent_id, since, until)
    if since or until:
        raise UsageError("since or until without a parent_id; expected the parent it is summed into at that time.")
    return None


def _series(rows: Sequence[_Row], problems: list[_Problem], unclear: set[str]) -> Series | None:
    """The series that some rows describe together, or None with the reasons added."""
    first, *others = rows
    before = len(problems)
    for row in others:
        for name, value, other in (
            ("level", first.level, row.level),
            ("time_zone", first.time_zone, row.time_zone),
        ):
            if value != other:
                text = (
                    f"series {row.series_id!r} has the {name} {other}, but {value} in line {first.line}; expected one."
                )
                problems.append(_Problem(row.line, text))
    if others and any(row.membership is None for row in rows):
        text = f"series {first.series_id!r} has {len(rows)} rows; expected a parent_id in each of them."
        problems += [_Problem(row.line, text) for row in rows if row.membership is None]
    if len(problems) == before:
        found: list[str] = []
        memberships = tuple(row.membership for row in rows if row.membership is not None)
        series = _tried(found, Series, first.series_id, first.level, first.time_zone, memberships)
        problems += [_Problem(rows[-1].line, text) for text in found]
        if series is not None:
            return series
    unclear.add(first.series_id)
    return None


def _line_of(rows: Mapping[str, Sequence[_Row]], series_id: str | None, parent_id: str | None) -> int:
    """The line that says so; 1, the header, where no single one does."""
    of_series = rows.get(series_id or "", ())
    of_parent = [row.line for row in of_series if row.membership and row.membership.parent_id == parent_id]
    return next(iter([*of_parent, *(row.line for row in of_series)]), 1)


def _told(path: Path, problems: Sequence[_Problem]) -> str:
    shown = [f"{path}:{line}: {text}" for line, text in sorted(problems)[:_MOST_SHOWN]]
    more = len(problems) - len(shown)
    return "\n".join([*shown, f"{path}: {more:,} more problems."] if more else shown)


def _hint(text: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(text, known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""
