"""Readings written as files into a folder that another gridcast watches."""

import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import polars as pl

from gridcast.domain.tables import READINGS
from gridcast.ingestion.atomic import write_files

_FILE_SECONDS: Final = 1.0
_FILE_ROWS: Final = 100_000


class DropSender:
    """Writes a CSV file in the default format of a drop folder about once a second; each appears whole."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._run = secrets.token_hex(4)
        self._files = 0
        self._parts: list[bytes] = []
        self._rows = 0
        self._since = time.monotonic()

    def send(self, readings: pl.DataFrame, poison: Sequence[bytes]) -> None:
        """Add lines to the file in hand.

        Raises:
            GridcastError: a file cannot be written.
        """
        text = readings.write_csv(include_header=False, datetime_format="%Y-%m-%dT%H:%M:%S%.fZ")
        self._parts += (text.encode(), *(line + b"\n" for line in poison))
        self._rows += readings.height + len(poison)
        if self._rows >= _FILE_ROWS or time.monotonic() - self._since >= _FILE_SECONDS:
            self.finish()

    def finish(self) -> None:
        """Let the file in hand appear.

        Raises:
            GridcastError: it cannot be written.
        """
        if self._rows:
            self._files += 1
            header = ",".join(READINGS.names()).encode() + b"\n"
            file = self._folder / f"simulated-{self._run}-{self._files:06d}.csv"
            write_files({file: b"".join((header, *self._parts))}, scratch=self._folder / ".simulated" / self._run)
        self._parts, self._rows, self._since = [], 0, time.monotonic()

    def close(self) -> None:
        """Leave what is in hand unwritten."""
        self._parts, self._rows = [], 0
