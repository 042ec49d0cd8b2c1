"""What people and programs see: results on standard output, progress and remarks on standard error."""

import contextlib
import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from gridcast.cli.options import Format
from gridcast.monitoring.logs import is_json, tell

Rows = Sequence[Mapping[str, Any]]
_LOG: Final = logging.getLogger(__name__)


def show(
    result: Mapping[str, Any],
    *,
    last_line: str,
    output: Format,
    rows: Rows = (),
    tables: Mapping[str, Rows] | None = None,
) -> None:
    """Print one result: as JSON with the last line as `summary`, or as tables above the last line.

    `rows` is the only table; `tables` are several, by their titles.
    """
    if output is Format.JSON:
        sys.stdout.write(json.dumps({**result, "summary": last_line}, default=_plain) + "\n")
        return
    for title, each in {"": rows, **(tables or {})}.items():
        if each:
            print_table(each, title=title)
    sys.stdout.write(f"{last_line}\n")


def print_table(rows: Rows, *, title: str = "") -> None:
    """Print rows that share their keys as a table, under its title."""
    from rich.console import Console
    from rich.table import Table

    table = Table(
        box=None, header_style="bold", pad_edge=False, title=title or None, title_justify="left", title_style="bold"
    )
    for key, value in rows[0].items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        table.add_column(key, justify="right" if is_number else "left")
    for row in rows:
        table.add_row(*(_text(value) for value in row.values()))
    Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 200).print(table)


def remark(text: str, *, level: int = logging.INFO) -> None:
    """Tell what is going on, on standard error, as a line of the log where that is JSON."""
    if is_json():
        if text.strip():
            tell(_LOG, text.strip(), level=level)
        return
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


@contextlib.contextmanager
def progress(label: str, *, total: float | None) -> Iterator[Callable[[float, str], None]]:
    """A progress bar on standard error; call the result with how much is done and a remark. `total` None: unknown.

    Where standard error is not a terminal, each new remark is a line instead.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    if is_json() or not sys.stderr.isatty():
        said = ""

        def tell(_: float, note: str) -> None:
            nonlocal said
            if note != said:
                remark(f"{label}: {note}", level=logging.DEBUG)
                said = note

        yield tell
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total, note="")
        yield lambda done, note: bar.update(task, completed=done, note=note)


def counted(counts: Mapping[str, int]) -> str:
    """Names with their counts, on one line."""
    return ", ".join(f"{name}: {count:,}" for name, count in counts.items())


def _plain(value: object) -> object:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _text(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.3f}" if abs(value) < 100 else f"{value:,.1f}"
    if isinstance(value, bool) or not isinstance(value, int):
        return f"{value:%Y-%m-%d %H:%M%Z}" if isinstance(value, datetime) else str(value)
    return f"{value:,}"
