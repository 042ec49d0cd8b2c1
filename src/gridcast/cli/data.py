"""`gridcast ingest` and `gridcast prepare`: readings in, clean history out."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from gridcast.cli.options import ConfigOption, DryRunOption, Format, FormatOption
from gridcast.cli.output import remark, show
from gridcast.domain.errors import UsageError


def ingest(
    config: ConfigOption = None,
    readings: Annotated[
        str | None, typer.Option(help="Read this file, folder or pattern instead of the configured one.")
    ] = None,
    weather: Annotated[str | None, typer.Option(help="Likewise for temperatures.")] = None,
    holidays: Annotated[str | None, typer.Option(help="Likewise for holidays.")] = None,
    dry_run: DryRunOption = False,
    output: FormatOption = Format.TABLE,
) -> None:
    """Read the source into data/raw; rows that cannot be used go to data/raw/dead_letter with a reason.

    \b
    Examples:
      gridcast ingest
      gridcast ingest --readings meters.csv --weather weather.csv --config config
    """
    from gridcast.cli.installation import Installation
    from gridcast.workflows.ingest import FileSource
    from gridcast.workflows.ingest import ingest as run

    here = Installation.open(config)
    source = here.settings.pipeline.source
    files = None
    if source.kind == "sample" and (readings or weather or holidays):
        raise UsageError(
            "--readings, --weather and --holidays name your own files, but source.kind is sample; expected files. Set "
            "it in config/pipeline_config.yaml, which also says how your columns, units and clock are to be read."
        )
    if source.kind == "files":
        files = FileSource(
            readings=readings or source.readings or "",
            weather=weather or source.weather,
            holidays=holidays or source.holidays,
            readings_format=source.readings_format,
            weather_format=source.weather_format,
        )
    done = run(here.workspace.raw, source=files, now=datetime.now(UTC), dry_run=dry_run)
    rejected = sum(done.rejected.values())
    where = f"; {rejected:,} rejected ({_reasons(done.rejected)}), kept in {done.dead_letter}" if rejected else ""
    verb = "would ingest" if dry_run else "ingested"
    show(
        {
            "source": done.source,
            "readings": done.readings,
            "series": done.series,
            "weather": done.weather,
            "holidays": done.holidays,
            "rejected": done.rejected,
            "dead_letter": done.dead_letter,
        },
        last_line=f"{verb} {done.readings:,} readings of {done.series} series, {done.weather:,} temperatures and "
        f"{done.holidays} holidays from {done.source} into {here.workspace.raw}{where}.",
        output=output,
    )


def prepare(
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Clean data/raw with Apache Beam into data/processed: check, repair with flags, sum up, join weather.

    Nothing is done again when neither readings nor rules have changed.

    \b
    Example:
      gridcast prepare --format json
    """
    from gridcast.cli.installation import Installation
    from gridcast.pipelines.beam.batch import run_batch
    from gridcast.quality.summary import quality_summary
    from gridcast.workflows.prepare import prepare as run

    here = Installation.open(config)
    pipeline = here.settings.pipeline
    remark(f"cleaning {here.workspace.raw} …")
    processed, reused = run(
        here.workspace,
        interval=pipeline.interval,
        limits=pipeline.quality,
        hierarchy=pipeline.tree,
        months=pipeline.beam.months,
        buckets=pipeline.beam.buckets,
        run_batch=run_batch,
    )
    summary = quality_summary(processed.quality_counts())
    rows = int(summary["rows"].sum())
    complete = 1 - (int(summary["missing"].sum()) + int(summary["bad"].sum())) / max(rows, 1)
    show(
        {"reused": reused, "observed_until": processed.observed_until, "quality": summary.to_dicts()},
        rows=[_quality_row(each) for each in summary.to_dicts()],
        last_line=f"{'reused' if reused else 'prepared'} {rows:,} clean intervals of {len(processed.hierarchy.ids)} "
        f"series in {processed.directory}, {complete:.1%} with a load, until "
        f"{processed.observed_until:%Y-%m-%d %H:%MZ}.",
        output=output,
    )


def _quality_row(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the quality summary, narrow enough for a screen: the rules that changed anything in one column."""
    counted = ("series_id", "rows", "good", "estimated", "edited", "bad", "missing", "removed")
    rules = {name: value for name, value in row.items() if name not in {*counted, "completeness"} and value}
    return {**{name: row[name] for name in counted}, "changed by": _reasons(rules) or "–"}


def _reasons(rejected: dict[str, int]) -> str:
    return ", ".join(f"{reason}: {rows:,}" for reason, rows in rejected.items())
