"""Where the store was before it had more than one database."""

from gridcast.store.reading_log import LandedSpan
from gridcast.store.store import Position, Store

__all__ = ["LandedSpan", "Position", "Store"]
