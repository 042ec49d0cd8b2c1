"""`gridcast store`: keep the store small, back it up, restore it, and check that it is sound."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gridcast.cli.options import ConfigOption, DryRunOption, Format, FormatOption, duration
from gridcast.cli.output import progress, remark, show
from gridcast.domain.errors import UsageError

if TYPE_CHECKING:
    from gridcast.store.backup import Manifest

store_app = typer.Typer(
    name="store",
    help="Keep the store small, back it up, restore it, and check that it is sound.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@store_app.command()
def status(
    config: ConfigOption = None,
    no_rows: Annotated[
        bool, typer.Option("--no-rows", help="Do not count rows, which takes long in a large store.")
    ] = False,
    output: FormatOption = Format.TABLE,
) -> None:
    """Where the store is, the revision of its tables, and how many rows each has.

    \b
    Examples:
      gridcast store status --format json
      gridcast store status --no-rows
    """
    from gridcast.cli.installation import Installation
    from gridcast.store.upgrade import REVISION

    with Installation.open(config).store() as store:
        rows, name = {} if no_rows else store.counts(), store.name
    tables = "tables" if no_rows else f"{sum(rows.values()):,} rows in {len(rows)} tables"
    show(
        {"store": name, "revision": REVISION, "rows": None if no_rows else rows},
        rows=[{"table": table, "rows": count} for table, count in rows.items()],
        last_line=f"{name}: {tables} of revision {REVISION}.",
        output=output,
    )


@store_app.command()
def prune(
    config: ConfigOption = None,
    forecasts: Annotated[
        str | None, typer.Option(help="Keep forecasts issued in this last time, such as P400D. [default: all]")
    ] = None,
    readings_log: Annotated[
        str | None, typer.Option(help="Keep readings as received of this last time. [default: all]")
    ] = None,
    landings: Annotated[
        str | None, typer.Option(help="Keep when batches landed in this last time. [default: all]")
    ] = None,
    dry_run: DryRunOption = False,
    output: FormatOption = Format.TABLE,
) -> None:
    """Remove what need not be kept, counted back from the newest row of each table.

    What a reader of the log has not read, or 'gridcast prepare' has not taken into the raw folder, stays. Clean
    readings, scores, events, overrides and the audit log always stay. In PostgreSQL forecasts go by whole months of
    issue; a SQLite file is compacted afterwards, which needs as much free room as the file is large.

    \b
    Examples:
      gridcast store prune --forecasts P400D --dry-run
      gridcast store prune --forecasts P400D --readings-log P200D --landings P30D
    """
    from gridcast.cli.installation import Installation
    from gridcast.store.pruning import Kept
    from gridcast.store.pruning import prune as prune_tables
    from gridcast.workflows.readings.archive_log import archived

    ages = {"forecasts": forecasts, "readings_log": readings_log, "landings": landings}
    kept = Kept(**{name: duration(age) for name, age in ages.items() if age is not None})
    if kept == Kept():
        raise UsageError("nothing to prune: expected --forecasts, --readings-log or --landings with a duration.")
    here = Installation.open(config)
    least = here.settings.pipeline.stream.warm_start_days
    if kept.readings_log is not None and kept.readings_log.days < least:
        raise UsageError(
            f"--readings-log {readings_log}: expected at least P{least}D, which a stream reads when it starts "
            "(warm_start_days in config/pipeline_config.yaml)."
        )
    with here.store() as store:
        with store.transaction() as connection:
            pruned = list(prune_tables(connection, kept, archived=archived(store, here.workspace.raw)))
            if dry_run:
                connection.rollback()
        is_compacted = not dry_run and any(each.rows for each in pruned)
        if is_compacted:
            remark("compacting; others wait to write until it is done.")
            is_compacted = store.compact()
    total = sum(each.rows for each in pruned)
    show(
        {"dry_run": dry_run, "pruned": [each._asdict() for each in pruned], "compacted": is_compacted},
        rows=[each._asdict() for each in pruned],
        last_line=f"{'would remove' if dry_run else 'removed'} {total:,} rows from {store.name}"
        f"{'; the file was compacted' if is_compacted else ''}.",
        output=output,
    )


@store_app.command()
def backup(
    to: Annotated[Path, typer.Option(help="The folder to make; it must not exist, or be empty.")],
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Write every table, as it is at one moment, to Parquet files with a manifest. Others may write meanwhile.

    \b
    Example:
      gridcast store backup --to /backups/2024-06-01
    """
    from gridcast.cli.installation import Installation
    from gridcast.store.backup import save

    with Installation.open(config).store() as store, _told("saving") as tell:
        manifest = save(store, to, tell=tell)
        name = store.name
    _show_backup(manifest, folder=to, last_line=f"saved {manifest.rows:,} rows of {name} in {to}.", output=output)


@store_app.command()
def restore(
    folder: Annotated[Path, typer.Argument(help="A folder that 'gridcast store backup' wrote.")],
    to: Annotated[
        str | None,
        typer.Option(help="Path of a SQLite file or URL of a PostgreSQL database. [default: the installation's store]"),
    ] = None,
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Fill an empty store with a backup, of SQLite or PostgreSQL alike: so a store also moves from one to the other.

    Every file is checked first. All rows are there afterwards, or none.

    \b
    Examples:
      gridcast store restore /backups/2024-06-01
      gridcast store restore /backups/2024-06-01 --to postgresql://gridcast@db:5432/gridcast
      gridcast store restore /backups/2024-06-01 --to data/gridcast.db
    """
    from gridcast.cli.installation import Installation
    from gridcast.store.backup import restore as restore_tables
    from gridcast.store.store import Store

    place: Path | str = Installation.open(config).store_place if to is None else to if "://" in to else Path(to)
    with closing(Store.open(place)) as store, _told("restoring") as tell:
        manifest = restore_tables(folder, store, tell=tell)
        name = store.name
    last_line = f"restored {manifest.rows:,} rows from {folder} into {name}."
    _show_backup(manifest, folder=folder, last_line=last_line, output=output)


@store_app.command()
def verify(
    folder: Annotated[Path | None, typer.Argument(help="A backup. [default: the installation's store]")] = None,
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Check a backup (hashes, rows, readability) or the store itself; exit with 1 and what is wrong if it is not sound.

    Of the store: the database's own check, tables, newest runs against the forecasts, positions in the log.

    \b
    Examples:
      gridcast store verify
      gridcast store verify /backups/2024-06-01
    """
    from gridcast.cli.installation import Installation
    from gridcast.store import backup, condition

    if folder is None:
        with Installation.open(config).store() as store, store.transaction() as connection:
            what, found = store.name, list(condition.faults(connection))
    else:
        with _told("checking") as tell:
            what, found = str(folder), backup.faults(folder, backup.read_manifest(folder), tell=tell)
    show(
        {"checked": what, "faults": found},
        rows=[{"fault": each} for each in found],
        last_line=f"{what}: {f'{len(found):,} faults' if found else 'sound'}.",
        output=output,
    )
    if found:
        raise typer.Exit(1)


@contextmanager
def _told(label: str) -> Iterator[Callable[[str, int], None]]:
    """Rows of each table on standard error, as they are done."""
    with progress(label, total=None) as tell:
        yield lambda table, rows: tell(rows, table)


def _show_backup(manifest: "Manifest", *, folder: Path, last_line: str, output: Format) -> None:
    tables = [{"table": name, "rows": each.rows, "sha256": each.sha256[:12]} for name, each in manifest.tables.items()]
    result = {"folder": folder, "revision": manifest.revision, "created_at": manifest.created_at, "tables": tables}
    show(result, rows=tables, last_line=last_line, output=output)
