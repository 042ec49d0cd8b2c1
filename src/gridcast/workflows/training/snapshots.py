"""Clean histories that models were trained on, kept each once under the hash of what they hold."""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gridcast.domain.errors import GridcastError
from gridcast.ingestion.atomic import disk_error
from gridcast.workflows.readings.processed import Processed

_SUMS: Final = "sha256.json"


@contextlib.contextmanager
def keeping_snapshot(processed: Processed, *, directory: Path) -> Iterator[None]:
    """Keep a history before something is made of it; what the block gives up is not kept, if it was not before."""
    was_there = (directory / processed.fingerprint).exists()
    folder = keep_snapshot(processed, directory=directory)
    try:
        yield
    except BaseException:
        if not was_there:
            shutil.rmtree(folder, ignore_errors=True)
            with contextlib.suppress(OSError):
                directory.rmdir()
        raise


def keep_snapshot(processed: Processed, *, directory: Path) -> Path:
    """Keep a history below `directory`, if it is not there yet; its folder.

    Files are linked where the disk allows it, so that the newest snapshot takes no room of its own.

    Raises:
        GridcastError: the disk is full or cannot be written to.
    """
    folder = directory / processed.fingerprint
    if folder.exists():
        return folder
    try:
        directory.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(dir=directory, prefix=".keeping_"))
        try:
            for file in _files(processed.directory):
                target = partial / file
                target.parent.mkdir(parents=True, exist_ok=True)
                _link(processed.directory / file, target)
            (partial / _SUMS).write_text(json.dumps(_sums(partial), indent=1), encoding="utf-8")
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise disk_error(error, folder) from error
    return folder


def open_snapshot(fingerprint: str, *, directory: Path) -> Processed:
    """The history a model was trained on.

    Raises:
        GridcastError: it was not kept, or is no longer what it was.
    """
    folder = directory / fingerprint
    if not folder.exists():
        raise GridcastError(
            f"{folder}: not there; expected the clean history the model was trained on. Bring the folder back from a "
            "backup; models that were trained before snapshots were kept cannot be made again."
        )
    try:
        wanted = json.loads((folder / _SUMS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise GridcastError(f"{folder / _SUMS}: {error}; expected the checksums of the snapshot.") from error
    changed = sorted(name for name, value in (_sums(folder).items() ^ wanted.items()))
    if changed:
        raise GridcastError(
            f"{folder}: {changed[0]} is not what was kept; expected the same checksums. Bring the folder back from a "
            "backup."
        )
    return Processed.open(folder)


def _files(directory: Path) -> list[Path]:
    return sorted(each.relative_to(directory) for each in directory.rglob("*") if each.is_file())


def _sums(directory: Path) -> dict[str, str]:
    sums = {}
    for file in _files(directory):
        if file.name != _SUMS:
            with (directory / file).open("rb") as opened:
                sums[str(file)] = hashlib.file_digest(opened, "sha256").hexdigest()
    return sums


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
