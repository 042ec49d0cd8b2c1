"""`gridcast explain`: what moved a forecast."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple
from zoneinfo import ZoneInfo

import typer

from gridcast.cli.options import ConfigOption, DryRunOption, Format, FormatOption, duration, moment
from gridcast.cli.output import show
from gridcast.domain.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

    from gridcast.models.tensorflow.serving import Forecaster
    from gridcast.workflows.forecasts.explained import Explained
    from gridcast.workflows.readings.processed import Processed


class _Compared(NamedTuple):
    """What forecasts are compared with: the same hours `days` earlier, or the one issued at `since`."""

    name: str
    days: int = 0
    last: int = 1
    since: datetime | None = None


def explain(
    config: ConfigOption = None,
    series: Annotated[
        list[str] | None, typer.Option(help="This series; repeat the option. [default: the system]")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(help="Explain the forecast issued then, e.g. 2008-06-29T06:00Z. [default: newest]")
    ] = None,
    against: Annotated[
        str | None, typer.Option(help="Compare with the forecast so many whole days earlier. [default: P7D]")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Compare with the forecast issued then for the same intervals instead.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(help="Put this interval into words, e.g. 2008-06-30T20:00Z. [default: the peak]")
    ] = None,
    last: Annotated[
        str | None,
        typer.Option(help="Also sum up the forecasts of so many whole days: what matters most. [default: P1D]"),
    ] = None,
    to: Annotated[Path | None, typer.Option(help="Also write the rows to this .csv or .parquet file.")] = None,
    dry_run: DryRunOption = False,
    output: FormatOption = Format.TABLE,
) -> None:
    """Say what moved a forecast of the champion: weather, calendar, recent load, each with its contribution in MW.

    Contributions add up to the difference from the forecast for the same hours a week before. With --since they are
    those of newer readings, newer weather and the nearer issue time to the difference from an earlier forecast for the
    same hours.

    \b
    Examples:
      gridcast explain
      gridcast explain --last P7D
      gridcast explain --series zone_01 --against P1D --at 2008-06-30T20:00Z
      gridcast explain --as-of 2008-06-30T06:00Z --since 2008-06-30T00:00Z --to why.csv
    """
    from gridcast.cli.installation import Installation
    from gridcast.cli.table_file import require_name, write
    from gridcast.evaluation.attribution import side_by_side
    from gridcast.models.tensorflow.serving import Forecaster
    from gridcast.workflows.forecasts.explained import Explained, keep_explanation

    if to is not None:
        require_name(to, option="--to")
    compared, asked = _compared(against=against, last=last, since=since), None if at is None else moment(at)
    here = Installation.open(config)
    processed = here.processed()
    tree = processed.hierarchy
    issue_time = processed.observed_until if as_of is None else moment(as_of)
    ids = tuple(each.series_id for each in tree.select(series or [tree.root]))
    model = here.champion()
    explained = Explained(ids, issue_time, model.version, is_newest=as_of is None)
    rows = _explanations(Forecaster.load(model.directory), processed, explained, compared=compared)
    hours = side_by_side(rows.filter(issue_time=issue_time))
    told = _told(hours, at=asked, interval=processed.interval)
    file = None if dry_run else keep_explanation(rows, here.workspace.explanations, name=compared.name)
    if to is not None and not dry_run:
        write(rows, to)
    _show(rows, hours=hours, told=told, zones=tree.time_zones, file=file, output=output)


def _show(
    rows: "pl.DataFrame",
    *,
    hours: "pl.DataFrame",
    told: "pl.DataFrame",
    zones: Mapping[str, str],
    file: Path | None,
    output: Format,
) -> None:
    import polars as pl

    from gridcast.evaluation.attribution import by_local_day, importance
    from gridcast.workflows.forecasts.explanation_words import in_words

    groups = rows["input_group"].unique(maintain_order=True).to_list()
    days = by_local_day(hours, time_zones=zones).with_columns(pl.col("day").dt.to_string())
    matters = importance(rows).to_dicts()
    is_alone = hours["series_id"].n_unique() == 1
    first = told.row(0, named=True)
    show(
        {
            **rows.select("issue_time", "reference_issue_time", "model_version").row(0, named=True),
            "input_groups": groups,
            "intervals": hours.to_dicts(),
            "days": days.to_dicts(),
            "told": told.to_dicts(),
            "forecasts": rows["issue_time"].n_unique(),
            "importance": matters,
            "file": file,
        },
        tables={
            "MW, by local time": _lines(hours if is_alone else told, told=told, groups=groups, zones=zones),
            "MW, mean of each local day": _lines(days, told=told, groups=groups, zones=zones),
            "MW, mean size of each contribution": matters,
        },
        last_line=f"{in_words(first, groups=groups, time_zone=zones[first['series_id']])}.",
        output=output,
    )


def _compared(*, against: str | None, last: str | None, since: str | None) -> _Compared:
    if since is None:
        days, count = _days(against or "P7D", option="--against"), _days(last or "P1D", option="--last")
        return _Compared(f"against_P{days}D", days, count)
    if against is not None or last is not None:
        raise UsageError(f"--since {since}: expected neither --against nor --last beside it.")
    time = moment(since)
    return _Compared(f"since_{time:%Y%m%dT%H%MZ}", since=time)


def _days(text: str, *, option: str) -> int:
    length = duration(text)
    if length % timedelta(days=1):
        raise UsageError(f"{option} {text}: expected whole days such as P7D.")
    return length.days


def _explanations(
    forecaster: "Forecaster", processed: "Processed", explained: "Explained", *, compared: _Compared
) -> "pl.DataFrame":
    from gridcast.workflows.forecasts.explain_forecast import explain_daily, explain_since
    from gridcast.workflows.forecasts.known import known_at
    from gridcast.workflows.forecasts.refresh import refresh_at

    known = known_at(processed, explained.issue_time, is_newest=explained.is_newest)
    refresh = refresh_at(forecaster, known, issue_time=explained.issue_time)
    if compared.since is None:
        days, last = compared.days, compared.last
        return explain_daily(forecaster, processed, explained, days=days, last=last, refresh=refresh)
    return explain_since(forecaster, processed, explained, since=compared.since, refresh=refresh)


def _told(hours: "pl.DataFrame", *, at: datetime | None, interval: timedelta) -> "pl.DataFrame":
    """The interval of each series that holds `at`, or its peak."""
    import polars as pl

    from gridcast.domain.tables import earliest, latest

    if at is None:
        peaks = hours.sort("forecast_mw", descending=True, maintain_order=True)
        return peaks.unique("series_id", keep="first", maintain_order=True).sort("series_id", maintain_order=True)
    found = hours.filter(pl.col("valid_time") <= at, pl.col("valid_time") > at - interval)
    if found.is_empty():
        first, last = earliest(hours["valid_time"]), latest(hours["valid_time"])
        raise UsageError(
            f"--at {at:%Y-%m-%d %H:%MZ}: not in what is explained; expected a time from {first:%Y-%m-%d %H:%MZ} to "
            f"{last:%Y-%m-%d %H:%MZ}."
        )
    return found


def _lines(
    rows: "pl.DataFrame", *, told: "pl.DataFrame", groups: Sequence[str], zones: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Rows for a screen: local times, the forecast with its contributions, the band, a mark at what is told."""
    marked = set(told.select("series_id", "valid_time").iter_rows())
    lines = []
    for row in rows.iter_rows(named=True):
        if "valid_time" in row:
            when = row["valid_time"].astimezone(ZoneInfo(zones[row["series_id"]]))
            mark = "◀" if (row["series_id"], row["valid_time"]) in marked else ""
        else:
            when, mark = row["day"], ""
        contributions = {group.replace("_", " "): row[f"{group}_mw"] for group in groups}
        figures = {"forecast": row["forecast_mw"], "compared with": row["reference_mw"], "change": row["change_mw"]}
        band = {"80 % band": row["width_80_forecast_mw"], "its change": row["width_80_change_mw"]}
        lines.append({"series": row["series_id"], "time": when, **figures, **contributions, **band, "": mark})
    return lines
