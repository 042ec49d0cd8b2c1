"""What travels between transforms: frames of many rows under a text that says what they are about.

Inside a worker a frame is handed on as it is; between workers it travels as an Arrow stream, never as a pickle.
"""

import io
from collections.abc import Iterable, Iterator

import apache_beam as beam
import polars as pl

from gridcast.quality.cells import Placed

Block = tuple[str, pl.DataFrame]
"""A text, most often an encoded `BlockName`, and rows."""


PlacedBlock = tuple[str, Placed]
"""The same, of readings on the intervals of their series."""


class ArrowCoder(beam.coders.Coder):  # type: ignore[misc]
    """Frames as Arrow streams; importing this module makes it Beam's coder of polars frames."""

    def encode(self, value: pl.DataFrame) -> bytes:
        """`value` as an Arrow stream."""
        buffer = io.BytesIO()
        value.rechunk().write_ipc_stream(buffer)
        return buffer.getvalue()

    def decode(self, encoded: bytes) -> pl.DataFrame:
        """The frame that `encode` was given."""
        return pl.read_ipc_stream(io.BytesIO(encoded))

    def estimate_size(self, value: pl.DataFrame) -> int:
        """Bytes in memory: Beam asks for its metrics, and would otherwise encode the frame to know."""
        return int(value.estimated_size())

    def is_deterministic(self) -> bool:
        """Frames are never keys."""
        return False

    def to_type_hint(self) -> type[pl.DataFrame]:
        """What it encodes."""
        return pl.DataFrame


class PlacedCoder(beam.coders.Coder):  # type: ignore[misc]
    """Placed readings as two Arrow streams, one behind the other, and the length of the first before them."""

    def encode(self, value: Placed) -> bytes:
        """`value` as bytes."""
        cells, removed = (ArrowCoder().encode(each) for each in (value.cells, value.removed))
        return len(cells).to_bytes(8) + cells + removed

    def decode(self, encoded: bytes) -> Placed:
        """What `encode` was given."""
        end = 8 + int.from_bytes(encoded[:8])
        return Placed(ArrowCoder().decode(encoded[8:end]), ArrowCoder().decode(encoded[end:]))

    def is_deterministic(self) -> bool:
        """Placed readings are never keys."""
        return False

    def to_type_hint(self) -> type[Placed]:
        """What it encodes."""
        return Placed


beam.coders.registry.register_coder(pl.DataFrame, ArrowCoder)
beam.coders.registry.register_coder(Placed, PlacedCoder)


def concat(frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """The rows of all frames, which share their columns and are at least one."""
    return pl.concat(list(frames))


def months_of(rows: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """The rows of each month (UTC, such as 2024-03) of `valid_time`."""
    labelled = rows.with_columns(pl.col("valid_time").dt.truncate("1mo").alias("month"))
    for (month,), part in labelled.partition_by("month", as_dict=True, include_key=False).items():
        yield f"{month:%Y-%m}", part
