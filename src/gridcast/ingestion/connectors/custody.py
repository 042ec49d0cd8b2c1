"""Files that one process has taken out of a folder, so that no other takes them too.

Every taker has a folder of its own below the one for taken files, locked as long as the process lives. What lies in a
folder whose lock is free was left behind by a process that died.
"""

import fcntl
import hashlib
import itertools
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self
from uuid import uuid4

from gridcast.ingestion.atomic import sync_folder
from gridcast.ingestion.connectors.files import name_and_ending

_LOCK: Final = "lock"
_NAME_BYTES: Final = 255
"""Of a file's name, on every common file system."""


@dataclass(slots=True, kw_only=True)
class Custody:
    """The locked folder of one taker, and with it every file it has taken."""

    path: Path
    _lock: int
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    @classmethod
    def new(cls, taking: Path) -> Self:
        """A folder of one's own below `taking`; it is seen by others only once it is locked.

        Raises:
            OSError: it cannot be made.
        """
        name = uuid4().hex
        hidden = taking / f".{name}"
        hidden.mkdir(parents=True)
        lock = _locked(hidden / _LOCK)
        if lock is None:
            raise BlockingIOError(f"{hidden}: a new folder is locked by another")
        return cls(path=hidden.rename(taking / name), _lock=lock)

    @classmethod
    def left_behind(cls, taking: Path) -> list[Self]:
        """The folders of takers that died, the oldest first, from now on in this process's custody.

        Raises:
            OSError: one of them cannot be opened.
        """
        found = []
        for path in taking.glob("[!.]*"):
            lock = _locked(path / _LOCK)
            if lock is not None:
                found.append(cls(path=path, _lock=lock))
        return sorted(found, key=lambda each: (each.path / _LOCK).stat().st_mtime_ns)

    def files(self) -> list[Path]:
        """What was taken and not yet moved on, in the order it was taken."""
        return sorted(self.path.glob("*/*"))

    def take(self, file: Path) -> Path | None:
        """Where `file` lies now, under its own name; None where it is gone, as another taker was faster.

        Raises:
            OSError: it cannot be moved.
        """
        place = self.path / f"{next(self._numbers):09d}"
        place.mkdir()
        try:
            taken = file.rename(place / file.name)
        except FileNotFoundError:
            place.rmdir()
            return None
        sync_folder(place)
        return taken

    def release(self) -> None:
        """Give up the folder; what still lies in it is left to the next taker."""
        if not self.files():
            (self.path / _LOCK).unlink(missing_ok=True)
            _remove_empty(self.path)
        os.close(self._lock)


def move_aside(file: Path, *, folder: Path, reason: str | None = None) -> Path:
    """Where a taken file lies now: in `folder`, under its name or name-2, name-3, …; nothing is ever overwritten.

    `reason` is written beside it, as <name>.reason.txt, before it is moved.

    Raises:
        OSError: the folder cannot be written to; the file is still where it was.
    """
    folder.mkdir(exist_ok=True)
    stem, ending = name_and_ending(file.name)
    for number in itertools.count(1):
        target = folder / (file.name if number == 1 else _name(stem, f"-{number}{ending}"))
        if target.exists() and not target.samefile(file):
            continue
        if reason is not None:
            beside = target.with_name(_name(target.name, ".reason.txt"))
            beside.write_text(f"{reason}\n", "utf-8", "backslashreplace")
        if _moved(file, target):
            break
    sync_folder(folder)
    _remove_empty(file.parent)
    return target


def _name(start: str, end: str) -> str:
    """`start` and `end`; where that is too long for a name, `start` is cut, and marked so that it stays unique."""
    whole = os.fsencode(start)
    if len(whole) + len(os.fsencode(end)) <= _NAME_BYTES:
        return start + end
    end = f"-{hashlib.blake2b(whole, digest_size=4).hexdigest()}{end}"
    return whole[: _NAME_BYTES - len(os.fsencode(end))].decode(errors="ignore") + end


def _moved(file: Path, target: Path) -> bool:
    """Whether `file` is now `target`; False where another file is. Interrupted, it can be called again."""
    try:
        target.hardlink_to(file)
    except FileExistsError:
        if not target.samefile(file):
            return False
    except OSError:
        return _moved_without_link(file, target)
    file.unlink()
    return True


def _moved_without_link(file: Path, target: Path) -> bool:
    try:
        target.touch(exist_ok=False)
    except FileExistsError:
        return False
    file.replace(target)
    return True


def _locked(path: Path) -> int | None:
    """The descriptor of a lock file, now locked; None where another process holds it, or its folder is gone."""
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    except OSError:
        os.close(lock)
        raise
    return lock


def _remove_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
