"""Names and places in the raw folder: which file is whose, which batch it came with, and whether that one was kept."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from gridcast.domain.errors import GridcastError, UsageError

READINGS: Final = "readings"
WEATHER: Final = "weather"
HOLIDAYS: Final = "holidays"
_POSITIONS: Final = "positions"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._]*")
_STEM: Final = re.compile(r"(?P<source>.+?)(?:-(?P<batch>\d{8,}))?")


class Kept(NamedTuple):
    """The newest batch of a source that is safely kept, and where the source goes on after it."""

    batch: int
    position: str


def checked_name(source: str) -> str:
    """`source`, if it can name files.

    Raises:
        UsageError: it cannot.
    """
    if not _NAME.fullmatch(source):
        raise UsageError(f"source {source!r}: expected letters, digits, '.' and '_' only, as it names files.")
    return source


def stem(source: str, *, batch: int = 0) -> str:
    """File name without ending of what a source replaces as a whole (0), or of one of its batches."""
    return checked_name(source) if batch == 0 else f"{checked_name(source)}-{batch:08d}"


def owner(path: Path) -> str:
    """The source that a file of the raw folder belongs to."""
    return _parts(path)[0]


def newest_kept(directory: Path) -> dict[str, Kept]:
    """The newest kept batch of every source that appends.

    Raises:
        GridcastError: the file that says so is damaged.
    """
    return {path.stem: _read_kept(path) for path in sorted((directory / _POSITIONS).glob("*.json"))}


def position_path(directory: Path, *, source: str) -> Path:
    """The file that makes a batch count: it is written last."""
    return directory / _POSITIONS / f"{checked_name(source)}.json"


def position_text(kept: Kept) -> bytes:
    """Content of that file."""
    return (json.dumps(kept._asdict()) + "\n").encode()


def month_files(directory: Path, kind: str) -> list[Path]:
    """Files that count, month by month and in each in order of arrival: replaced as a whole first, then by batch."""
    return _counting(directory, (directory / kind).glob("month=*/*.parquet"))


def holiday_files(directory: Path) -> list[Path]:
    """Files with holidays that count, in order of arrival."""
    return _counting(directory, (directory / HOLIDAYS).glob("*.parquet"))


def files_of(directory: Path, *, source: str) -> list[Path]:
    """Every file with rows or dead letters of a source, whether it counts or not."""
    places = (f"{READINGS}/month=*/*.parquet", f"{WEATHER}/month=*/*.parquet", f"{HOLIDAYS}/*.parquet")
    found = [path for place in (*places, "dead_letter/*.csv") for path in directory.glob(place)]
    return sorted(path for path in found if owner(path) == source)


def is_newer(path: Path, *, than: int) -> bool:
    """Whether a file came with a later batch than number `than`."""
    return _parts(path)[1] > than


def dead_letter(directory: Path, *, source: str, batch: int = 0) -> Path:
    """Where rows that could not be read are kept."""
    return directory / "dead_letter" / f"{stem(source, batch=batch)}.csv"


def scratch(directory: Path, *, source: str) -> Path:
    """A folder for half-written files of one source."""
    return directory / ".writing" / checked_name(source)


def _counting(directory: Path, paths: Iterable[Path]) -> list[Path]:
    kept = {source: each.batch for source, each in newest_kept(directory).items()}
    counting = [path for path in paths if _parts(path)[1] <= kept.get(owner(path), 0)]
    return sorted(counting, key=lambda path: (path.parent.name, *reversed(_parts(path))))


def _parts(path: Path) -> tuple[str, int]:
    found = _STEM.fullmatch(path.stem)
    return (path.stem, 0) if found is None else (found["source"], int(found["batch"] or 0))


def _read_kept(path: Path) -> Kept:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return Kept(int(kept["batch"]), str(kept["position"]))
    except (ValueError, KeyError, TypeError) as error:
        raise GridcastError(
            f"{path}: not the position of a source ({error!r}); expected one that gridcast wrote. Restore the file, or "
            f"remove it and every {path.stem}-*.parquet below {path.parent.parent} to read that source anew."
        ) from error
