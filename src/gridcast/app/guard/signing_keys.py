"""The public keys of an identity provider: from a file or a URL, asked for again when they may have changed."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import httpx
import jwt

from gridcast.domain.errors import GridcastError

REFRESH_S: Final = 600.0
"""A key that the provider has withdrawn is no longer taken after this."""
PAUSE_S: Final = 60.0
"""Tokens with unknown key ids make us ask the provider at most once in this."""
RETRY_S: Final = 5.0
"""The same where the provider did not answer."""
_OLDEST_S: Final = 3600.0
_TIMEOUT_S: Final = 5.0
_MOST_BYTES: Final = 1024 * 1024
_SMALLEST_RSA_BITS: Final = 2048


class SigningKeys:
    """Public keys by their id. Where the provider does not answer, the ones it gave last are used for an hour."""

    def __init__(
        self,
        *,
        url: str | None,
        file: Path | None,
        algorithms: tuple[str, ...],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._file = file
        self._algorithms = frozenset(algorithms)
        self._clock = clock
        self._lock = asyncio.Lock()
        self._keys: dict[str, jwt.PyJWK] = {}
        self._got_at: float | None = None
        self._asked_at = float("-inf")
        self._pause_s = PAUSE_S
        self.version = 0
        """Grows with every answer of the provider."""

    async def find(self, key_id: str) -> jwt.PyJWK | None:
        """The key with this id, None where the provider has none.

        Raises:
            GridcastError: there are no keys, or only old ones, and the provider does not answer.
        """
        if self._age() > REFRESH_S or key_id not in self._keys:
            await self._ask(key_id)
        if self._age() > _OLDEST_S:
            raise GridcastError("the keys of the identity provider cannot be read.")
        return self._keys.get(key_id)

    async def _ask(self, key_id: str) -> None:
        async with self._lock:
            is_known = key_id in self._keys and self._age() <= REFRESH_S
            if is_known or self._clock() - self._asked_at < self._pause_s:
                return
            self._asked_at, self._pause_s = self._clock(), RETRY_S
            try:
                self._keys = usable(await self._read(), algorithms=self._algorithms)
            except (httpx.HTTPError, OSError, ValueError):
                return
            self._got_at, self._pause_s = self._asked_at, PAUSE_S
            self.version += 1

    async def _read(self) -> Mapping[str, Any]:
        if self._file is not None:
            content = await asyncio.to_thread(self._file.read_bytes)
        else:
            content = await _fetch(str(self._url))
        found = json.loads(content)
        if not isinstance(found, dict):
            raise ValueError("not a set of keys")  # noqa: TRY004 - of the answer, not of a type of ours
        return found

    def _age(self) -> float:
        return float("inf") if self._got_at is None else self._clock() - self._got_at


def usable(key_set: Mapping[str, Any], *, algorithms: frozenset[str]) -> dict[str, jwt.PyJWK]:
    """The keys of a set that sign with one of the algorithms, by their id; weak and secret ones are left out."""
    found = {}
    for each in key_set.get("keys") or ():
        if not isinstance(each, dict) or each.get("use", "sig") != "sig" or each.get("kty") == "oct":
            continue
        try:
            key = jwt.PyJWK(each)
        except jwt.PyJWTError:
            continue
        is_strong = getattr(key.key, "key_size", _SMALLEST_RSA_BITS) >= _SMALLEST_RSA_BITS or each["kty"] != "RSA"
        if key.algorithm_name in algorithms and is_strong and isinstance(key.key_id, str):
            found[key.key_id] = key
    return found


async def _fetch(url: str) -> bytes:
    """What a URL answers, short and without redirections."""
    content = b""
    async with httpx.AsyncClient(timeout=_TIMEOUT_S) as client, client.stream("GET", url) as response:
        response.raise_for_status()
        async for part in response.aiter_bytes():
            content += part
            if len(content) > _MOST_BYTES:
                raise ValueError("too long")
    return content
