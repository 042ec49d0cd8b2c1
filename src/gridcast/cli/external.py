"""`gridcast external`: what somebody else forecast, beside what gridcast did."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gridcast.cli.options import ConfigOption, DryRunOption, Format, FormatOption, duration
from gridcast.cli.output import counted, remark, show
from gridcast.domain.errors import UsageError

if TYPE_CHECKING:
    from gridcast.cli.installation import Installation
    from gridcast.ingestion.tabular.columns import Parsed

_AHEAD = timedelta(days=2)


def external(
    file: Annotated[
        Path | None, typer.Option(help="CSV or Parquet with series_id, issue_time, valid_time and load_mw.")
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="Who forecast: with --file any name, else a source of kind entsoe or gridstatus.")
    ] = None,
    last: Annotated[str, typer.Option(help="Without --file: fetch so much up to now, and two days ahead.")] = "P2D",
    config: ConfigOption = None,
    dry_run: DryRunOption = False,
    output: FormatOption = Format.TABLE,
) -> None:
    """Take over forecasts of somebody else, such as a transmission system operator, and score them beside ours.

    They are kept as layer "external" and scored like the others as their actuals come in, here and by the stream.
    Times of a file carry a UTC offset. What is taken over again replaces what was.

    \b
    Examples:
      gridcast external --file tso.csv --source TSO
      gridcast external --source entsoe --last P7D
      gridcast external --file tso.parquet --source TSO --dry-run --format json
    """
    from gridcast.cli.installation import Installation
    from gridcast.workflows.forecasts.external_forecasts import take_over

    here = Installation.open(config)
    if source is None:
        raise UsageError("--source is missing; expected who forecast, such as --source TSO.")
    found = _fetched(here, source, last=duration(last)) if file is None else _read(file)
    if found.dead.height:
        reasons = dict(found.dead.group_by("reason").len().sort("reason").iter_rows())
        remark(f"{found.dead.height:,} rows cannot be read ({counted(reasons)}).")
    with here.store() as store:
        done = take_over(store, here.processed(), found.rows, source=source, dry_run=dry_run)
    show(
        {**done._asdict(), "dead": found.dead.height, "source": source},
        last_line=f"{'would take over' if dry_run else 'took over'} {done.issues:,} forecasts of {source} with "
        f"{done.rows:,} rows, {done.scored:,} of them scored; {done.left_out:,} rows left out.",
        output=output,
    )


def _read(file: Path) -> "Parsed":
    from gridcast.ingestion.connectors.files import read_readings
    from gridcast.ingestion.tabular.formats import FileFormat

    return read_readings(file, file_format=FileFormat(received="issue_time"))


def _fetched(here: "Installation", name: str, *, last: timedelta) -> "Parsed":
    from gridcast.cli.open_source import open_forecasts

    sources = here.settings.pipeline.sources
    if name not in sources:
        raise UsageError(
            f"--source {name}: not in config/pipeline_config.yaml; expected one of {', '.join(sources)}, or --file."
        )
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    return open_forecasts(name, sources[name]).forecasts(now - last, now + _AHEAD)
