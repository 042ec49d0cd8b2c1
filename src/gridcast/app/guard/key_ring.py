"""The API keys that let somebody in, held in memory for a few seconds."""

import asyncio
import hmac
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from gridcast.store import keys
from gridcast.store.errors import StoreError
from gridcast.store.keys import ApiKey
from gridcast.store.store import Store

FRESH_S: Final = 3.0
"""A revoked key works no longer than this."""
NEW_S: Final = 1.0
"""A new key works no later than this; unknown keys make us ask the database no more often."""
_PAUSE_S: Final = 1.0
"""A database that failed is not asked again before this."""


class KeyRing:
    """Finds the key that a caller sent. The database is asked at most once a second, whatever is sent."""

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._lock = asyncio.Lock()
        self._keys: dict[str, ApiKey] = {}
        self._read_at = float("-inf")
        self._failure: tuple[float, str] | None = None

    async def find(self, key: str) -> ApiKey | None:
        """The key as it is known, None where it is unknown, revoked or expired.

        Raises:
            StoreError: the database does not say.
        """
        digest = keys.hash_of(key)
        await self._refresh(older_than=FRESH_S)
        if digest not in self._keys:
            await self._refresh(older_than=NEW_S)
        kept = self._keys.get(digest)
        if kept is None or not hmac.compare_digest(digest, kept.key_hash):
            return None
        if kept.expires_at is not None and not kept.is_active(datetime.now(UTC)):
            return None
        return kept

    def forget(self) -> None:
        """Ask the database again before the next answer: a key was made or revoked here."""
        self._read_at = float("-inf")

    async def _refresh(self, *, older_than: float) -> None:
        if self._clock() - self._read_at < older_than:
            return
        async with self._lock:
            if self._clock() - self._read_at >= older_than:
                await self._read()

    async def _read(self) -> None:
        asked_at = self._clock()
        if self._failure is not None and asked_at - self._failure[0] < _PAUSE_S:
            raise StoreError(self._failure[1])
        try:
            found = await asyncio.to_thread(keys.active_keys, self._store, at=datetime.now(UTC))
        except StoreError as error:
            self._failure = (self._clock(), str(error))
            raise
        self._keys = {key.key_hash: key for key in found}
        self._read_at = asked_at
