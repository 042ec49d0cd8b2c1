"""Readings as messages that `gridcast listen` reads with its default settings."""

import polars as pl


def json_messages(readings: pl.DataFrame, *, size: int) -> list[bytes]:
    """READINGS as JSON lines, `size` of them in a message, in their order."""
    lines = readings.write_ndjson().encode().splitlines()
    if size == 1:
        return lines
    return [b"\n".join(lines[first : first + size]) for first in range(0, len(lines), size)]
