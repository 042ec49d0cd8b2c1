"""A folder that others drop files into: each file is taken, read, handed over once, and moved on when it is kept.

Layout: .taking/<taker>/<number>/ files in hand, processed/ files that were kept, rejected/ files that could not be
used, each with a .reason.txt beside it.
"""

import contextlib
import itertools
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import polars as pl
from watchfiles import watch

from gridcast.domain.errors import GridcastError
from gridcast.domain.tables import READINGS, WEATHER
from gridcast.ingestion.atomic import disk_error
from gridcast.ingestion.connectors.custody import Custody, move_aside
from gridcast.ingestion.connectors.files import read_readings, read_weather
from gridcast.ingestion.source import Batch
from gridcast.ingestion.tabular.columns import DEAD_ROWS, Parsed
from gridcast.ingestion.tabular.csv_rows import printable
from gridcast.ingestion.tabular.formats import FileFormat, WeatherFormat

UNREADABLE: Final = "unreadable_file"
_UNFINISHED: Final = (".part", ".filepart", ".tmp")
_LOOK_AGAIN_MS: Final = 1000


@dataclass(slots=True, kw_only=True)
class DropFolder:
    """A source of files of one format; see Source.

    A file counts as complete once it has its name: writers rename it into the folder, or name it .part, .filepart or
    .tmp or with a leading dot until then. A file of which nothing can be used is handed over as one dead row.

    Attributes:
        is_watched: go on until `stop` is set, instead of ending once the folder is empty.
        is_polled: look for new files from time to time, for network drives that tell of no changes.
    """

    folder: Path
    file_format: FileFormat | WeatherFormat
    is_watched: bool = False
    is_polled: bool = False
    stop: threading.Event = field(default_factory=threading.Event)
    _in_hand: dict[str, str | None] = field(default_factory=dict, init=False)

    def batches(self, position: str | None) -> Iterator[Batch]:
        """A batch for each file, in the order they were last written; first what a taker that died left behind.

        Raises:
            GridcastError: the folder is not there, is gone, or cannot be written to.
        """
        self._in_hand.clear()
        if position is not None:
            self.done(position)
        with self._disk_errors(), contextlib.ExitStack() as custody:
            self._waiting()
            left_behind = Custody.left_behind(self._taking)
            for each in left_behind:
                custody.callback(each.release)
            for each in left_behind:
                yield from map(self._batch, each.files())
            own = Custody.new(self._taking)
            custody.callback(own.release)
            for file in itertools.takewhile(lambda _: not self.stop.is_set(), self._arriving()):
                taken = own.take(file)
                if taken is not None:
                    yield self._batch(taken)

    def done(self, position: str) -> None:
        """Move the files that were kept to processed/, and those that could not be used to rejected/.

        Raises:
            GridcastError: they cannot be moved there; they are still in hand.
        """
        with self._disk_errors():
            for name, reason in json.loads(position)["taken"].items():
                file = self._taking / name
                if file.exists():
                    kind = "processed" if reason is None else "rejected"
                    move_aside(file, folder=self.folder / kind, reason=reason)
                self._in_hand.pop(name, None)

    @property
    def _taking(self) -> Path:
        return self.folder / ".taking"

    def _arriving(self) -> Iterator[Path]:
        yield from self._waiting()
        if not self.is_watched:
            return
        changes = watch(
            self.folder,
            watch_filter=None,
            stop_event=self.stop,
            rust_timeout=_LOOK_AGAIN_MS,
            yield_on_timeout=True,
            force_polling=self.is_polled or None,
            recursive=False,
        )
        for _ in changes:
            yield from self._waiting()

    def _waiting(self) -> list[Path]:
        """Complete files in the folder, by the time they were last written."""
        found = []
        for file in self.folder.iterdir():
            is_complete = not file.name.startswith(".") and not file.name.casefold().endswith(_UNFINISHED)
            if is_complete and file.is_file():
                with contextlib.suppress(FileNotFoundError):
                    found.append((file.stat().st_mtime_ns, file))
        return [file for _, file in sorted(found)]

    def _batch(self, file: Path) -> Batch:
        parsed, reason = self._parsed(file)
        self._in_hand[file.relative_to(self._taking).as_posix()] = reason
        kind = "readings" if isinstance(self.file_format, FileFormat) else "weather"
        return Batch.of(position=json.dumps({"taken": self._in_hand}), dead=parsed.dead, **{kind: parsed.rows})

    def _parsed(self, file: Path) -> tuple[Parsed, str | None]:
        """What stands in a file, and why nothing in it can be used, if so."""
        try:
            if isinstance(self.file_format, FileFormat):
                parsed = read_readings(file, file_format=self.file_format)
            else:
                parsed = read_weather(file, weather_format=self.file_format)
        except GridcastError as error:
            if isinstance(error.__cause__, OSError) and not isinstance(error.__cause__, PermissionError):
                raise
            return self._unreadable(file, reason=str(error).replace(str(file), file.name))
        except OSError:
            raise
        except (Exception, pl.exceptions.PanicException) as error:  # noqa: BLE001 - no file may block the folder
            told = f"{type(error).__name__}: {error}".replace(str(file), file.name)
            return self._unreadable(
                file, reason=f"{file.name}: gridcast cannot read it ({told}); expected a file of readings. Tell us."
            )
        if parsed.rows.height:
            return parsed, None
        counts = ", ".join(f"{reason}: {rows}" for reason, rows in parsed.dead["reason"].value_counts(sort=True).rows())
        return parsed, f"{file.name}: none of {parsed.dead.height} rows could be used ({counts})."

    def _unreadable(self, file: Path, *, reason: str) -> tuple[Parsed, str]:
        row = (printable(file.name), None, UNREADABLE, printable(reason))
        schema = READINGS if isinstance(self.file_format, FileFormat) else WEATHER
        return Parsed(schema.to_frame(), pl.DataFrame([row], schema=DEAD_ROWS, orient="row")), reason

    @contextlib.contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if not self.folder.is_dir():
                raise GridcastError(
                    f"drop folder {self.folder}: is not there; expected a folder that files are dropped into. Make it, "
                    "or name another in config/pipeline_config.yaml."
                ) from error
            raise disk_error(error, self.folder) from error
