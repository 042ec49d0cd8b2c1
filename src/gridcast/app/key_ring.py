"""The API keys that let somebody in, held in memory for a few seconds."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from gridcast.store import keys
from gridcast.store.keys import ApiKey
from gridcast.store.store import Store

FRESH_S: Final = 3.0
"""A revoked key works no longer than this."""


class KeyRing:
    """Finds the key that a caller sent. The database is asked once in `FRESH_S`, whatever is sent."""

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._lock = asyncio.Lock()
        self._keys: dict[str, ApiKey] = {}
        self._read_at: float | None = None

    async def find(self, key: str) -> ApiKey | None:
        """The key as it is known, None where it is unknown, revoked or expired.

        Raises:
            StoreError: the database does not say.
        """
        if not self._is_fresh():
            async with self._lock:
                if not self._is_fresh():
                    await self._read()
        kept = self._keys.get(keys.hash_of(key))
        if kept is None or not keys.is_same(key, kept):
            return None
        if kept.expires_at is not None and not kept.is_active(datetime.now(UTC)):
            return None
        return kept

    def forget(self) -> None:
        """Ask the database again before the next answer: a key was made or revoked here."""
        self._read_at = None

    def _is_fresh(self) -> bool:
        return self._read_at is not None and self._clock() - self._read_at < FRESH_S

    async def _read(self) -> None:
        asked_at = self._clock()
        found = await asyncio.to_thread(keys.active_keys, self._store, at=datetime.now(UTC))
        self._keys = {key.key_hash: key for key in found}
        self._read_at = asked_at


def has_active_key(store: Store) -> bool:
    """Whether any key lets somebody in."""
    return bool(keys.active_keys(store, at=datetime.now(UTC)))
