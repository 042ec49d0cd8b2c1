"""Bytes of a user's file, taken out of gzip or Zstandard where it is packed."""

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import zstandard

from gridcast.domain.errors import GridcastError

_PIECE: Final = 4096
"""Packed bytes unpacked at a time: few enough that a piece never blows up to gigabytes."""
MAX_UNPACKED_BYTES: Final = 4_000_000_000


class Content(NamedTuple):
    """What a file holds, unpacked. `is_cut`: it was packed and ends too early; `data` is what came before the cut."""

    data: bytes
    is_cut: bool


class _Decoder(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


def read_content(path: Path, *, limit: int = MAX_UNPACKED_BYTES) -> Content:
    """The unpacked bytes of a file, whatever its name; how it is packed is seen from its first bytes.

    Raises:
        GridcastError: the file cannot be read, or what is packed in it is damaged or more than `limit` bytes.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise GridcastError(f"{path}: cannot be read ({error.strerror}); give a file you may read.") from error
    try:
        return _unpacked(data, limit=limit)
    except _TooLargeError as error:
        raise GridcastError(
            f"{path}: what is packed in it is larger than {limit:,} bytes; expected less. Split the file."
        ) from error
    except (zlib.error, zstandard.ZstdError) as error:
        raise GridcastError(f"{path}: what is packed in it is damaged ({error}); copy or export it again.") from error


def _unpacked(data: bytes, *, limit: int) -> Content:
    """All members one after the other; what follows the last one (padding of a tape, say) is left out."""
    start = _start(data, 0)
    if start is None:
        return Content(data, is_cut=False)
    parts, size, at = [], 0, 0
    while start is not None:
        decoder = start()
        while at < len(data) and not decoder.eof:
            parts.append(decoder.decompress(data[at : at + _PIECE]))
            at += _PIECE
            size += len(parts[-1])
            if size > limit:
                raise _TooLargeError
        if not decoder.eof:
            return Content(b"".join(parts), is_cut=True)
        at = min(at, len(data)) - len(decoder.unused_data)
        start = _start(data, at)
    return Content(b"".join(parts), is_cut=False)


def _start(data: bytes, at: int) -> Callable[[], _Decoder] | None:
    if data.startswith(b"\x1f\x8b", at):
        return lambda: zlib.decompressobj(wbits=31)
    if data.startswith(b"\x28\xb5\x2f\xfd", at):
        return lambda: zstandard.ZstdDecompressor().decompressobj()
    return None


class _TooLargeError(Exception):
    """What is packed is larger than the limit."""
