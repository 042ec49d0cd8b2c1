"""All tables of a store as they were at one moment: Parquet files and a manifest in one folder."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa

from gridcast import __version__
from gridcast.store import frames, schema, upgrade
from gridcast.store.dialect import dialect_of
from gridcast.store.errors import StoreError
from gridcast.store.store import Store

MANIFEST: Final = "manifest.json"
Tell = Callable[[str, int], None]
"""Is told a table and how many of its rows are done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """One table in a backup."""

    file: str
    rows: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup holds."""

    gridcast: str
    revision: str
    created_at: str
    tables: Mapping[str, Saved]

    @property
    def rows(self) -> int:
        """Of all tables."""
        return sum(each.rows for each in self.tables.values())


def save(store: Store, folder: Path, *, tell: Tell) -> Manifest:
    """Write every table of a store, as it is now, to a new folder: all of it or no folder. Others may go on writing.

    Raises:
        StoreError: the folder is there and not empty, or cannot be written, or the store cannot be read.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StoreError(f"backup {folder}: there is something already; expected a new folder. Name another one.")
    beside = folder.with_name(f".{folder.name}.unfinished")
    try:
        shutil.rmtree(beside, ignore_errors=True)
        beside.parent.mkdir(parents=True, exist_ok=True)
        beside.mkdir(mode=0o700)
        manifest = _write(store, beside, tell=tell)
        if folder.exists():
            folder.rmdir()
        beside.rename(folder)
        _to_disk(folder.parent)
    except OSError as error:
        raise StoreError(
            f"backup {folder}: {error.strerror or error}; expected a folder gridcast may make, on a disk with room."
        ) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return manifest


def restore(folder: Path, store: Store, *, tell: Tell) -> Manifest:
    """Fill an empty store with a backup of a store of either kind: all of it or nothing.

    Raises:
        StoreError: the backup is damaged or of another revision, or the store is not empty.
    """
    manifest = read_manifest(folder)
    found = faults(folder, manifest, tell=lambda *_: None)
    if found:
        raise StoreError(f"backup {folder}: {found[0]}; expected it as it was written. Restore another backup.")
    with store.transaction() as connection:
        dialect_of(connection).lock_schema(connection)
        full = [table.name for table in schema.METADATA.sorted_tables if _has_rows(connection, table)]
        if full:
            raise StoreError(
                f"store {store.name}: there are rows in {', '.join(full)}; expected an empty store. Restore into a new "
                "file or database."
            )
        for name, saved in manifest.tables.items():
            _fill(connection, schema.METADATA.tables[name], folder / saved.file, tell=tell)
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """What the backup in a folder says it holds.

    Raises:
        StoreError: it is none, or one of another revision of the schema.
    """
    try:
        content: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
        tables = {name: Saved(**each) for name, each in content.pop("tables").items()}
        manifest = Manifest(tables=tables, **content)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise StoreError(
            f"backup {folder}: {MANIFEST} cannot be read ({error}); expected a folder 'gridcast store backup' wrote."
        ) from error
    if manifest.revision != upgrade.REVISION or tables.keys() != schema.METADATA.tables.keys():
        raise StoreError(
            f"backup {folder}: of revision {manifest.revision}, by gridcast {manifest.gridcast}; expected revision "
            f"{upgrade.REVISION}. Restore it with that gridcast and open the store with this one."
        )
    return manifest


def faults(folder: Path, manifest: Manifest, *, tell: Tell) -> list[str]:
    """What is wrong with the files of a backup, in words; nothing if they are as they were written."""
    found = []
    for name, saved in manifest.tables.items():
        path = folder / saved.file
        try:
            if sha256(path) != saved.sha256:
                found.append(f"{saved.file} has changed since it was written")
                continue
            rows = sum(part.height for part in _parts(path))
        except (OSError, pa.ArrowException, pl.exceptions.PolarsError) as error:
            found.append(f"{saved.file} cannot be read: {error}")
            continue
        if rows != saved.rows:
            found.append(f"{saved.file} has {rows:,} rows, the manifest says {saved.rows:,}")
        tell(name, rows)
    return found


def _write(store: Store, folder: Path, *, tell: Tell) -> Manifest:
    with store.transaction() as connection:
        dialect_of(connection).freeze(connection)
        created_at = datetime.now(UTC).isoformat()
        tables = {
            table.name: _write_table(connection, table, folder, tell=tell) for table in schema.METADATA.sorted_tables
        }
    manifest = Manifest(gridcast=__version__, revision=upgrade.REVISION, created_at=created_at, tables=tables)
    (folder / MANIFEST).write_text(json.dumps(asdict(manifest), indent=2) + "\n")
    for path in (folder / MANIFEST, folder):
        _to_disk(path)
    return manifest


def _write_table(connection: sa.Connection, table: sa.Table, folder: Path, *, tell: Tell) -> Saved:
    path, rows = folder / f"{table.name}.parquet", 0
    types = frames.types_of(table)
    query = sa.select(table).order_by(*table.primary_key.columns)
    with pq.ParquetWriter(path, pl.DataFrame(schema=types).to_arrow().schema, compression="zstd") as writer:
        for part in dialect_of(connection).pieces(connection, query, types):
            writer.write_table(part.to_arrow())
            rows += part.height
            tell(table.name, rows)
    _to_disk(path)
    return Saved(file=path.name, rows=rows, sha256=sha256(path))


def _fill(connection: sa.Connection, table: sa.Table, path: Path, *, tell: Tell) -> None:
    rows, dialect = 0, dialect_of(connection)
    for part in _parts(path):
        dialect.append(connection, table, part)
        rows += part.height
        tell(table.name, rows)
    if isinstance(table.autoincrement_column, sa.Column) and table.autoincrement_column.autoincrement is True:
        dialect.renumber(connection, table)


def _parts(path: Path) -> Iterator[pl.DataFrame]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=200_000):
            yield pl.DataFrame(pl.from_arrow(batch))


def _has_rows(connection: sa.Connection, table: sa.Table) -> bool:
    return connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first() is not None


def sha256(path: Path) -> str:
    """Of the content of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
