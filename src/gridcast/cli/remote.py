"""`gridcast forecast --url`: the forecast of a service instead of one made here."""

from pathlib import Path

import polars as pl

from gridcast.cli.forecast_rows import peaks
from gridcast.cli.options import Format, moment
from gridcast.cli.output import progress, show
from gridcast.cli.table_file import require_name, write
from gridcast.client.client import Client
from gridcast.domain.errors import UsageError
from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.domain.tables import latest


def show_forecast_of(
    url: str, *, as_of: str | None, series: list[str], to: Path | None, dry_run: bool, output: Format
) -> None:
    """Print, and write to a file, the newest forecast that a service has, or had; it keeps what it has.

    Raises:
        UsageError: an option or a series is not usable.
        ApiError: the service refuses or cannot be reached.
    """
    if to is not None:
        require_name(to, option="--to")
    known_by = None if as_of is None else moment(as_of)
    with Client(url) as client:
        wanted = _known(client, series)
        with progress("asking", total=len(wanted)) as tell:
            parts = []
            for done, each in enumerate(wanted, start=1):
                parts.append(client.forecast(each, as_of=known_by))
                tell(done, url)
    rows = pl.concat(parts)
    if rows.is_empty():
        raise UsageError(f"{url}: the service has no forecast of {', '.join(wanted)}; expected one. Name other series.")
    if to is not None and not dry_run:
        write(rows, to)
    shown = rows.select("series_id", "valid_time", *QUANTILE_COLUMNS, "degraded_because")
    newest = latest(rows["issue_time"])
    version = rows.filter(pl.col("issue_time") == newest)["model_version"][0]
    degraded = rows.filter(pl.col("degraded_because") != "").height
    show(
        {"issue_time": newest, "model_version": version, "forecasts": shown.to_dicts()},
        rows=shown.to_dicts() if len(wanted) == 1 else peaks(shown),
        last_line=f"{url} gave {rows.height:,} rows for {len(wanted)} series, the newest issued at "
        f"{newest:%Y-%m-%d %H:%MZ} with model {version}; {degraded:,} of them degraded.",
        output=output,
    )


def _known(client: Client, series: list[str]) -> list[str]:
    """The series asked for, or all."""
    known: list[str] = client.series()["series_id"].to_list()
    unknown = [each for each in series if each not in set(known)]
    if unknown or not known:
        raise UsageError(f"unknown series {unknown}; expected any of {sorted(known)[:20]}.")
    return series or known
