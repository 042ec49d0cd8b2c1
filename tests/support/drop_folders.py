"""A drop folder in use: careful writers, and a reader that keeps all it is handed."""

from pathlib import Path
from queue import Queue

from gridcast.ingestion.connectors.drop_folder import DropFolder
from gridcast.ingestion.source import Batch, Source
from gridcast.ingestion.tabular.formats import FileFormat

HEADER = "series_id,valid_time,load_mw"
SOON = 20
"""Seconds that something which happens at once may take on a busy machine."""


def drop(folder: Path, name: str, *rows: str, header: str = HEADER) -> None:
    """As a careful writer does it: under another name first."""
    (folder / f"{name}.part").write_text("\n".join([header, *rows, ""]))
    (folder / f"{name}.part").rename(folder / name)


def drop_reading(folder: Path, name: str, hour: int = 0) -> None:
    drop(folder, name, f"{name.partition('.')[0]},2024-01-01T{hour:02d}:00Z,{hour}")


def source(folder: Path) -> DropFolder:
    return DropFolder(folder=folder, file_format=FileFormat())


def worked_off(drop_folder: Source, position: str | None = None) -> list[Batch]:
    batches = []
    for batch in drop_folder.batches(position):
        batches.append(batch)
        drop_folder.done(batch.position)
    return batches


def names(batches: list[Batch]) -> list[str]:
    return [name for batch in batches for name in batch.readings["series_id"]]


def tree(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def watch_and_tell(drop_folder: DropFolder, seen: "Queue[str]") -> None:
    for batch in drop_folder.batches(None):
        drop_folder.done(batch.position)
        seen.put(batch.readings["series_id"].item())
