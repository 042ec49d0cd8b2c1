"""A database as the store sees it: connections, and what people are told about it."""

from dataclasses import dataclass

import sqlalchemy as sa


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """One database."""

    engine: sa.Engine
    name: str
    """Its path, or its URL without the password."""
    expected: str
    """What it must be to serve as a store."""
