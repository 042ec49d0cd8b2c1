"""Data folder, store, registry and backups: what an installation has and must not lose. Nothing is changed."""

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import polars as pl

from gridcast.domain.errors import GridcastError
from gridcast.ingestion.raw import last_reading
from gridcast.models.tensorflow.serving import Forecaster
from gridcast.registry.catalogue import CHAMPION, has_catalogue, read_catalogue, with_alias
from gridcast.store import upgrade
from gridcast.store.backup import read_manifest
from gridcast.store.dialect import database
from gridcast.store.migrations import migrate
from gridcast.workflows.readings.processed import Processed
from gridcast.workflows.readings.workspace import Workspace
from gridcast.workflows.watching.doctor import Finding, failure, ok, warning

_GIB: Final = 1024**3
_LEAST_FREE: Final = _GIB
_ENOUGH_FREE: Final = 5 * _GIB
_SLACK: Final = timedelta(hours=1)
_OLD_BACKUP: Final = timedelta(days=7)
_DATABASE: Final = "mlflow.db"


def data_folder(folder: Path) -> Iterator[Finding]:
    """Whether files can be written below a folder, or it can be made, and the disk has room."""
    there = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    advice = "set data_dir in config/app_config.yaml to a folder that gridcast may write to."
    try:
        with tempfile.NamedTemporaryFile(dir=there, prefix=".gridcast-doctor-"):
            pass
    except OSError as error:
        yield failure(f"{folder}: {error.strerror} ({there})", advice=advice)
        return
    yield ok(f"{folder} can be written to" if folder.exists() else f"{folder} is not there yet and can be made")
    free = shutil.disk_usage(there).free
    text = f"{free / _GIB:.1f} GiB free"
    more = "make room, or prune the store: gridcast store prune --help"
    if free < _LEAST_FREE:
        yield failure(f"{text}; expected {_LEAST_FREE / _GIB:.0f} GiB at least", advice=more)
    elif free < _ENOUGH_FREE:
        yield warning(text, advice=more)
    else:
        yield ok(text)


def store(place: Path | str) -> Iterator[Finding]:
    """Whether the store answers, and whether its tables are those of this gridcast."""
    if isinstance(place, Path) and not place.exists():
        yield ok(f"{place} is not there yet; the first command that needs it makes it")
        return
    found = database(place)
    with contextlib.closing(_Disposed(found.engine)), found.engine.connect() as connection:
        revision = upgrade.revision(connection)
    if revision == upgrade.REVISION:
        yield ok(f"{found.name} answers; tables of revision {revision}")
    elif revision is not None and not migrate.knows(revision):
        yield failure(
            f"{found.name}: tables of revision {revision}, of a later gridcast; this one knows {upgrade.REVISION}",
            advice="install the gridcast that opened it last.",
        )
    else:
        yield warning(
            f"{found.name}: tables of revision {revision or 'none'}; the next command makes them {upgrade.REVISION}",
            advice="back up first, with the gridcast that wrote it: see docs/upgrade.md.",
        )


def clock(workspace: Workspace, *, now: datetime) -> Iterator[Finding]:
    """Whether the clock is behind what was measured or written."""
    newest = last_reading(workspace.raw) if workspace.raw.exists() else None
    written = max((each.stat().st_mtime for each in workspace.data_dir.glob("*") if each.is_file()), default=0.0)
    advice = "set the clock (timedatectl, chronyc), or correct the time zone of the source."
    if newest is not None and newest > now + _SLACK:
        yield failure(f"it is {_told(now)}, and the newest reading is of {_told(newest)}", advice=advice)
    elif datetime.fromtimestamp(written, UTC) > now + _SLACK:
        last = datetime.fromtimestamp(written, UTC)
        yield failure(f"it is {_told(now)}, and a file was written at {_told(last)}", advice=advice)
    else:
        age = "no reading yet" if newest is None else f"the newest reading is of {_told(newest)}"
        yield ok(f"{_told(now)}; {age}")


def registry(workspace: Workspace) -> Iterator[Finding]:
    """Whether models are known, and whether the one in charge is whole and repeats the forecast of its export."""
    home = workspace.registry
    if not (home / _DATABASE).exists():
        yield ok("no model was trained yet")
        return
    if not has_catalogue(home):
        yield warning(f"{home}: no catalogue.json, without which the service knows no model", advice="gridcast status")
        return
    known = read_catalogue(home)
    champion = with_alias(known, CHAMPION)
    yield ok(f"{len(known)} models in the catalogue")
    if champion is None:
        yield warning("no model is in charge", advice="gridcast train, gridcast backtest, gridcast model promote")
        return
    forecaster = Forecaster.load(champion.directory)
    yield ok(
        f"model {champion.version} is in charge: files unchanged, sanity forecast of {forecaster.leads} leads repeated"
    )


def registry_database(workspace: Workspace) -> Iterator[Finding]:
    """Whether the registry's database opens and says the same as its catalogue."""
    home = workspace.registry
    if not (home / _DATABASE).exists() or not has_catalogue(home):
        return
    from gridcast.registry.mlflow_registry import Registry  # noqa: PLC0415

    there = {each.version: each.aliases for each in Registry.open(home).versions()}
    told = {each.version: each.aliases for each in read_catalogue(home)}
    if there == told:
        yield ok(f"{_DATABASE} opens and agrees with the catalogue")
    else:
        yield failure(
            f"{_DATABASE} has the versions {there}, the catalogue {told}",
            advice='remove registry/catalogue.json and run "gridcast status", which writes it anew.',
        )


def history(workspace: Workspace) -> Iterator[Finding]:
    """Whether raw and clean readings are there, can be read, and go together."""
    broken = [fault for folder in (workspace.raw, workspace.processed) for fault in _unreadable(folder)]
    if broken:
        yield failure("; ".join(broken), advice="restore the files from a copy, or ingest and prepare again.")
        return
    processed, newest = Processed.find(workspace.processed), last_reading(workspace.raw)
    if newest is None:
        yield warning("no readings yet", advice='gridcast ingest; or "gridcast demo" for the sample.')
    elif processed is None:
        yield warning(f"readings until {_told(newest)}, none of them cleaned", advice="gridcast prepare")
    elif newest + processed.interval > processed.observed_until + _SLACK:
        yield warning(
            f"readings until {_told(newest)}, cleaned until {_told(processed.observed_until)}",
            advice="gridcast prepare",
        )
    else:
        series = len(processed.hierarchy.ids)
        yield ok(f"{series} series, cleaned until {_told(processed.observed_until)}")


def backups(folder: Path | None, *, now: datetime) -> Iterator[Finding]:
    """Whether the newest backup below a folder is whole by its manifest, and not older than a week."""
    if folder is None:
        yield ok("not asked for; name their folder with --backups")
        return
    manifests = sorted(folder.glob("*/manifest.json")) if folder.is_dir() else []
    if not manifests:
        yield failure(f"{folder}: no backup there", advice=f"gridcast store backup --to {folder}/{now:%Y-%m-%d}")
        return
    times = {each.parent: _made_at(each) for each in manifests}
    newest = max(times, key=lambda each: times[each])
    age = now - times[newest]
    if age > _OLD_BACKUP:
        yield warning(
            f"the newest, {newest}, is {age.days} days old", advice="run gridcast store backup on a schedule."
        )
        return
    try:
        manifest = read_manifest(newest)
    except GridcastError as error:
        yield failure(str(error), advice="gridcast store backup")
        return
    missing = [each.file for each in manifest.tables.values() if not (newest / each.file).is_file()]
    if missing:
        yield failure(f"{newest} lacks {', '.join(missing)}", advice="gridcast store backup")
    else:
        yield ok(f"{newest}, {manifest.rows:,} rows; its hashes are checked by gridcast store verify {newest}")


class _Disposed:
    """An engine whose connections end with the block."""

    def __init__(self, engine: object) -> None:
        self._engine = engine

    def close(self) -> None:
        self._engine.dispose()  # type: ignore[attr-defined]


def _made_at(manifest: Path) -> datetime:
    try:
        return datetime.fromisoformat(json.loads(manifest.read_text(encoding="utf-8"))["created_at"])
    except (OSError, ValueError, KeyError, TypeError):
        return datetime.min.replace(tzinfo=UTC)


def _unreadable(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*.parquet")):
        try:
            pl.read_parquet_schema(path)
        except (OSError, pl.exceptions.PolarsError) as error:
            yield f"{path} cannot be read ({str(error).splitlines()[0]})"


def _told(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%MZ}"
