"""`gridcast calendar`: the holidays, bridge days and one-off events that the settings make of a time."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridcast.cli.options import ConfigOption, Format, FormatOption, day
from gridcast.cli.output import counted, remark, show
from gridcast.domain.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

_MOST_NAMED = 4
_DEFAULT_SPAN = timedelta(days=365)
_LONGEST_SPAN = timedelta(days=36_525)


def calendar(
    config: ConfigOption = None,
    first: Annotated[str | None, typer.Option("--from", help="First local day. [default: today]")] = None,
    last: Annotated[str | None, typer.Option("--until", help="Last local day. [default: a year after --from]")] = None,
    series: Annotated[list[str] | None, typer.Option(help="Only days of these series; repeat the option.")] = None,
    to: Annotated[Path | None, typer.Option(help="Also write the rows to this .csv or .parquet file.")] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """List holidays, bridge days and one-off events as the settings and sources name them; nothing is changed.

    "gridcast prepare" takes them over.

    \b
    Examples:
      gridcast calendar
      gridcast calendar --from 2024-01-01 --until 2024-12-31 --series north --to days.csv
    """
    from gridcast.cli.installation import Installation
    from gridcast.cli.table_file import require_name, write
    from gridcast.domain.tables import DayKind
    from gridcast.ingestion.raw import first_readings, read_holidays
    from gridcast.workflows.readings.special_days import days_between

    if to is not None:
        require_name(to, option="--to")
    start = datetime.now(UTC).date() if first is None else day(first)
    end = start + _DEFAULT_SPAN if last is None else day(last)
    if not start <= end <= start + _LONGEST_SPAN:
        raise UsageError(
            f"--until {end}: expected a day on or after {start} and within {_LONGEST_SPAN.days:,} days of it."
        )
    here = Installation.open(config)
    tree = here.settings.pipeline.tree(sorted(first_readings(here.workspace.raw)))
    wanted = {each.series_id: each.time_zone for each in tree.select(series or tree.ids)}
    received = read_holidays(here.workspace.raw)
    known = here.calendar(tree).special_days(received, years=range(start.year - 1, end.year + 2))
    days = days_between(known, time_zones=wanted, start=start, end=end)
    if to is not None:
        write(days, to)
    rows = _rows(days, series=len(wanted))
    counts = {f"{kind}s": len({row["date"] for row in rows if row["kind"] == kind}) for kind in DayKind}
    if not counts["holidays"]:
        remark(
            f"no holidays are known from {start} to {end}: set calendar.country, or hand over holidays with a source."
        )
    show(
        {"from": start.isoformat(), "until": end.isoformat(), "days": rows},
        rows=[{**row, "series": _named(row["series"])} for row in rows],
        last_line=f"{start} to {end}, days of {len(wanted):,} series: {counted(counts)}.",
        output=output,
    )


def _rows(days: "pl.DataFrame", *, series: int) -> list[dict[str, Any]]:
    """A row for each day, kind and name with the series it is of; None: of all."""
    import polars as pl

    grouped = days.group_by("date", "kind", "name", maintain_order=True).agg("series_id")
    is_of_all = pl.col("series_id").list.get(0).is_null() | (pl.col("series_id").list.len() == series)
    return grouped.select(
        pl.col("date").dt.to_string("iso"),
        pl.col("date").dt.strftime("%A").alias("weekday"),
        "kind",
        "name",
        pl.when(~is_of_all).then("series_id").alias("series"),
    ).to_dicts()


def _named(series_ids: list[str] | None) -> str:
    if series_ids is None:
        return "all"
    more = f" and {len(series_ids) - _MOST_NAMED:,} more" if len(series_ids) > _MOST_NAMED else ""
    return ", ".join(series_ids[:_MOST_NAMED]) + more
