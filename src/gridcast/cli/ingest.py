"""`gridcast ingest`: every configured source into data/raw."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridcast.cli.options import ConfigOption, DryRunOption, Format, FormatOption
from gridcast.cli.output import counted, progress, remark, show
from gridcast.domain.errors import GridcastError, UsageError

if TYPE_CHECKING:
    from gridcast.ingestion.source import Batch
    from gridcast.settings.sources import Sources, SourceSettings
    from gridcast.workflows.readings.ingest import Ingested


def ingest(
    config: ConfigOption = None,
    source: Annotated[
        list[str] | None, typer.Option(help="Only this source; repeat the option. [default: all that end]")
    ] = None,
    readings: Annotated[
        str | None, typer.Option(help="Read this file, folder or pattern instead of the configured one.")
    ] = None,
    weather: Annotated[str | None, typer.Option(help="Likewise for temperatures.")] = None,
    holidays: Annotated[str | None, typer.Option(help="Likewise for holidays.")] = None,
    dry_run: DryRunOption = False,
    output: FormatOption = Format.TABLE,
) -> None:
    """Read the configured sources into data/raw; rows that cannot be used go to data/raw/dead_letter with a reason.

    Sources of whole files replace what they read before, the others go on where they ended. If one fails, the others
    are read all the same.

    \b
    Examples:
      gridcast ingest
      gridcast ingest --source weather --dry-run
      gridcast ingest --readings meters.csv --weather weather.csv --config config
    """
    from gridcast.cli.data import archive_live_readings
    from gridcast.cli.installation import Installation

    here = Installation.open(config)
    chosen = _chosen(here.settings.pipeline.sources, source)
    if not dry_run:
        archive_live_readings(here)
    own = {kind: path for kind, path in (("readings", readings), ("weather", weather), ("holidays", holidays)) if path}
    done, failures = _read_all(here.workspace.raw, _with_own_files(chosen, own) if own else chosen, dry_run=dry_run)
    lines = [_line(each, here.workspace.raw, dry_run=dry_run) for each in done]
    if failures:
        for line in lines:
            remark(line)
        raise _one_error(failures)
    facts = [_facts(each) for each in done]
    show(
        {**_totals(done), "sources": facts},
        rows=[{**each, "rejected": counted(each["rejected"]) or "–"} for each in facts] if len(done) > 1 else (),
        last_line=lines[0] if len(done) == 1 else f"{len(done)} sources read into {here.workspace.raw}.",
        output=output,
    )


def _chosen(sources: "Sources", names: list[str] | None) -> "Sources":
    """The sources to read: the named ones, or all that end by themselves."""
    from gridcast.settings.source_kinds import KINDS

    unknown = sorted(set(names or ()) - set(sources))
    if unknown:
        raise UsageError(f"--source {unknown[0]}: not configured; expected one of {', '.join(sources)}.")
    wanted = {name: sources[name] for name in names or sources}
    chosen = {name: each for name, each in wanted.items() if KINDS[each.kind].has_end}
    if not chosen or (names and len(chosen) < len(wanted)):
        live = next(name for name in wanted if name not in chosen)
        raise UsageError(f'source {live}: kind {sources[live].kind} never ends; expected "gridcast listen" for it.')
    return chosen


def _with_own_files(chosen: "Sources", own: dict[str, str]) -> "Sources":
    """The same, with other files for the one source of kind files."""
    from gridcast.settings.sources import FilesSettings

    files = {name: each for name, each in chosen.items() if isinstance(each, FilesSettings)}
    if len(files) != 1:
        kinds = ", ".join(f"{name} is {each.kind}" for name, each in chosen.items())
        raise UsageError(
            f"--readings, --weather and --holidays name your own files, but of the sources {kinds}; expected one of "
            "kind files. Set it in config/pipeline_config.yaml, which also says how your columns, units and clock are "
            "to be read, or choose it with --source."
        )
    return {**chosen, **{name: each.model_copy(update=own) for name, each in files.items()}}


def _read_all(raw: Path, chosen: "Sources", *, dry_run: bool) -> tuple[list["Ingested"], dict[str, GridcastError]]:
    from gridcast.ingestion.locks import SourceInUseError
    from gridcast.settings.sources import DropFolderSettings

    done, failures = [], {}
    for name, settings in chosen.items():
        if dry_run and isinstance(settings, DropFolderSettings):
            remark(f"{name}: left alone, as the files of a drop folder cannot be read without being taken.")
            continue
        try:
            done.append(_read(raw, name, settings, dry_run=dry_run))
        except GridcastError as error:
            if isinstance(error, SourceInUseError) and isinstance(settings, DropFolderSettings):
                remark(f"{name}: left alone, as another process takes the files of this drop folder.")
            else:
                failures[name] = error
    return done, failures


def _read(raw: Path, name: str, settings: "SourceSettings", *, dry_run: bool) -> "Ingested":
    from gridcast.cli.open_source import open_source
    from gridcast.settings.sources import FilesSettings, SampleSettings
    from gridcast.workflows.readings.ingest import FileSource, append
    from gridcast.workflows.readings.ingest import ingest as replace

    now = datetime.now(UTC)
    if isinstance(settings, SampleSettings):
        return replace(raw, source=None, now=now, dry_run=dry_run)
    if isinstance(settings, FilesSettings):
        files = FileSource(
            readings=settings.readings,
            weather=settings.weather,
            holidays=settings.holidays,
            readings_format=settings.readings_format,
            weather_format=settings.weather_format,
        )
        return replace(raw, source=files, name=name, now=now, dry_run=dry_run)
    rows = 0
    with progress(f"reading {name}", total=None) as tell:

        def count(batch: "Batch") -> None:
            nonlocal rows
            rows += batch.readings.height + batch.weather.height
            tell(rows, f"{rows:,} rows")

        return append(raw, source=open_source(name, settings), name=name, now=now, dry_run=dry_run, on_batch=count)


def _one_error(failures: dict[str, GridcastError]) -> GridcastError:
    """The failure to end with: as it is if there is one only, else all of them in one."""
    if len(failures) == 1:
        return next(iter(failures.values()))
    return GridcastError("\n".join(f"{name}: {error}" for name, error in failures.items()))


def _facts(done: "Ingested") -> dict[str, Any]:
    return {
        "source": done.source,
        "readings": done.readings,
        "series": len(done.series),
        "weather": done.weather,
        "holidays": done.holidays,
        "rejected": done.rejected,
        "dead_letter": done.dead_letter,
    }


def _totals(done: list["Ingested"]) -> dict[str, Any]:
    reasons = sorted({reason for each in done for reason in each.rejected})
    return {
        "readings": sum(each.readings for each in done),
        "series": len(frozenset[str]().union(*(each.series for each in done))),
        "weather": sum(each.weather for each in done),
        "holidays": sum(each.holidays for each in done),
        "rejected": {reason: sum(each.rejected.get(reason, 0) for each in done) for reason in reasons},
    }


def _line(done: "Ingested", raw: Path, *, dry_run: bool) -> str:
    rejected = sum(done.rejected.values())
    kept = f", kept in {done.dead_letter}" if done.dead_letter else ""
    where = f"; {rejected:,} rejected ({counted(done.rejected)}){kept}" if rejected else ""
    return (
        f"{'would ingest' if dry_run else 'ingested'} {done.readings:,} readings of {len(done.series)} series, "
        f"{done.weather:,} temperatures and {done.holidays} holidays from {done.source} into {raw}{where}."
    )
