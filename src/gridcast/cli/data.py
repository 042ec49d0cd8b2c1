"""`gridcast prepare`: readings as received in, clean history out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridcast.cli.options import ConfigOption, Format, FormatOption
from gridcast.cli.output import counted, progress, remark, show
from gridcast.domain.errors import UsageError

if TYPE_CHECKING:
    from gridcast.cli.installation import Installation


def prepare(
    config: ConfigOption = None,
    runner: Annotated[
        str | None,
        typer.Option(
            help="Run on FlinkRunner, PortableRunner, DataflowRunner or SparkRunner. [default: inside this process]"
        ),
    ] = None,
    beam_options: Annotated[
        list[str] | None, typer.Argument(help="With --runner: options for Beam, given to it as they are.")
    ] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Clean data/raw with Apache Beam into data/processed: check, repair with flags, sum up, join weather.

    Nothing is done again when neither readings nor rules nor the calendar have changed.

    \b
    Examples:
      gridcast prepare --format json
      gridcast prepare --runner PortableRunner --job_endpoint localhost:8099 --environment_type LOOPBACK
    """
    from gridcast.cli.installation import Installation
    from gridcast.pipelines.beam.batch import run_batch
    from gridcast.quality.summary import quality_summary
    from gridcast.workflows.readings.prepare import prepare as run

    if beam_options and runner is None:
        raise UsageError(
            f"{' '.join(beam_options)}: not an option of prepare; expected one of those in 'gridcast prepare --help', "
            "or --runner before options for Beam."
        )
    here = Installation.open(config)
    archive_live_readings(here)
    rules = here.rules()
    with progress(f"cleaning {here.workspace.raw}", total=1.0) as tell:
        processed, was_reused, metrics = run(
            here.workspace,
            rules=rules,
            calendar=here.calendar(rules.hierarchy),
            block_rows=here.settings.pipeline.beam.block_rows,
            run_batch=run_batch,
            beam_flags=() if runner is None else (f"--runner={runner}", *(beam_options or ())),
            on_progress=lambda done, blocks: tell(done / blocks, f"{done} of {blocks} blocks"),
        )
    summary = quality_summary(processed.quality_counts())
    rows = int(summary["rows"].sum())
    complete = 1 - (int(summary["missing"].sum()) + int(summary["bad"].sum())) / max(rows, 1)
    show(
        {
            "reused": was_reused,
            "observed_until": processed.observed_until,
            "metrics": metrics,
            "quality": summary.to_dicts(),
        },
        rows=[_quality_row(each) for each in summary.to_dicts()],
        last_line=f"{'reused' if was_reused else 'prepared'} {rows:,} clean intervals of "
        f"{len(processed.hierarchy.ids)} series in {processed.directory}, {complete:.1%} with a load, until "
        f"{processed.observed_until:%Y-%m-%d %H:%MZ}.",
        output=output,
    )


def archive_live_readings(here: "Installation") -> None:
    """Take over what landed from live sources into data/raw: from now on it came before what is read next."""
    from gridcast.workflows.readings.archive_log import archive_log

    place = here.store_place
    if isinstance(place, Path) and not place.exists():
        return
    with here.store() as store:
        archived = archive_log(store, here.workspace.raw)
        if archived:
            remark(f"took over {archived:,} live readings from {store.name}.")


def _quality_row(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the quality summary, narrow enough for a screen: the rules that changed anything in one column."""
    columns = ("series_id", "rows", "good", "estimated", "edited", "bad", "missing", "removed")
    rules = {name: value for name, value in row.items() if name not in {*columns, "completeness"} and value}
    return {**{name: row[name] for name in columns}, "changed by": counted(rules) or "–"}
