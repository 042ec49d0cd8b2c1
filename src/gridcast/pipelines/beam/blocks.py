"""What travels between transforms: blocks of rows as Arrow bytes, named by the time they are about."""

import io
import zlib
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import polars as pl

Block = tuple[str, bytes]
"""A `BlockName` as text, and rows as an Arrow stream."""


class BlockName(NamedTuple):
    """Readings with `start` ≤ valid time < `end` of one bucket out of `buckets` that series are spread over."""

    start: datetime
    end: datetime
    bucket: int = 0
    buckets: int = 1

    def encode(self) -> str:
        """The name as a key Beam can group by."""
        return f"{self.start.isoformat()}/{self.end.isoformat()}/{self.bucket}/{self.buckets}"

    @classmethod
    def decode(cls, text: str) -> "BlockName":
        """The name that `encode` wrote."""
        start, end, bucket, buckets = text.split("/")
        return cls(datetime.fromisoformat(start), datetime.fromisoformat(end), int(bucket), int(buckets))

    def owns(self, series_id: str) -> bool:
        """Whether a series belongs to this bucket."""
        return zlib.crc32(series_id.encode()) % self.buckets == self.bucket

    def of_all_series(self) -> "BlockName":
        """The same time, all buckets together."""
        return self._replace(bucket=0, buckets=1)


def to_bytes(frame: pl.DataFrame) -> bytes:
    """`frame` as an Arrow stream."""
    buffer = io.BytesIO()
    frame.rechunk().write_ipc_stream(buffer)
    return buffer.getvalue()


def to_frame(data: bytes) -> pl.DataFrame:
    """The frame that `to_bytes` wrote."""
    return pl.read_ipc_stream(io.BytesIO(data))


def concat(blocks: Iterable[bytes]) -> pl.DataFrame:
    """The rows of all blocks, which share their columns and are at least one."""
    return pl.concat([to_frame(each) for each in blocks])
