"""`gridcast hierarchy`: the tree of series as it is at one moment, and a check of a file before it is used."""

import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from gridcast.cli.options import ConfigOption, Format, FormatOption, moment
from gridcast.cli.output import counted, show

if TYPE_CHECKING:
    from gridcast.domain.series import Hierarchy, Series


def hierarchy(
    config: ConfigOption = None,
    at: Annotated[str | None, typer.Option(help="Show the tree as it is at this time. [default: now]")] = None,
    check: Annotated[
        Path | None,
        typer.Option(help="Check and show this CSV file in place of the configured tree; nothing is changed."),
    ] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Print the tree that series are summed up in: level, clock, children, and since and until when each counts.

    \b
    Examples:
      gridcast hierarchy --at 2024-06-01T00:00Z
      gridcast hierarchy --check new-feeders.csv
    """
    from gridcast.cli.installation import Installation
    from gridcast.ingestion.raw import first_readings

    here = Installation.open(config)
    settings = here.settings.pipeline
    if check is not None:
        settings = settings.model_copy(update={"hierarchy": settings.hierarchy.model_copy(update={"file": check})})
    tree = settings.tree(sorted(first_readings(here.workspace.raw)))
    when = datetime.now(UTC) if at is None else moment(at)
    facts = _facts(tree, when=when)
    detached = [each["series_id"] for each in facts if each["parent_id"] is None and each["series_id"] != tree.root]
    if output is Format.TABLE:
        _print(tree, tops=[tree.root, *detached], when=when)
    levels = Counter(each.level.value for each in tree.series)
    file = settings.hierarchy.file
    show(
        {"file": file, "at": when, "root": tree.root, "levels": levels, "series": facts},
        last_line=f"{len(facts):,} series{f' in {file}' if file else ''} ({counted(levels)}), {len(detached):,} of "
        f"them summed into nothing at {when:%Y-%m-%d %H:%MZ}.",
        output=output,
    )


def _facts(tree: "Hierarchy", *, when: datetime) -> list[dict[str, Any]]:
    parents = tree.parents_at(when)
    children = Counter(parents.values())
    return [
        {
            "series_id": each.series_id,
            "level": each.level,
            "time_zone": each.time_zone,
            "parent_id": parents.get(each.series_id),
            "children": children[each.series_id],
            "memberships": [
                {"parent_id": span.parent_id, "since": span.since, "until": span.until} for span in each.memberships
            ],
        }
        for each in tree.series
    ]


def _print(tree: "Hierarchy", *, tops: list[str], when: datetime) -> None:
    """A tree for each of `tops`, with what is below it at the moment."""
    from rich.console import Console
    from rich.text import Text
    from rich.tree import Tree

    below: dict[str, list[str]] = {}
    for child, parent in tree.parents_at(when).items():
        below.setdefault(parent, []).append(child)
    labels = {each.series_id: _label(each, len(below.get(each.series_id, ())), when=when) for each in tree.series}
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    for top in tops:
        pending: list[tuple[str, Tree]] = [(top, drawn := Tree(Text(labels[top])))]
        while pending:
            series_id, node = pending.pop()
            pending += [(child, node.add(Text(labels[child]))) for child in below.get(series_id, ())]
        console.print(drawn)


def _label(series: "Series", children: int, *, when: datetime) -> str:
    """One line on a series: until when it counts where it is shown, or, if in no parent, when it did in which."""
    active = [each for each in series.memberships if each.covers(when)]
    periods = []
    for span in active or series.memberships:
        bounds = [
            f"{word} {bound.astimezone(ZoneInfo(series.time_zone)):%Y-%m-%d %H:%M}"
            for word, bound in (("since", span.since), ("until", span.until))
            if bound is not None
        ]
        periods.append(" ".join(bounds if active else [f"in {span.parent_id}", *bounds]))
    count = f"{children:,} {'child' if children == 1 else 'children'}" if children else ""
    return ", ".join(part for part in (series.series_id, series.level, series.time_zone, count, *periods) if part)
