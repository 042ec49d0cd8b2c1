"""What the service writes into the audit log: every change that was asked for, and who was refused."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

from starlette.types import Scope

from gridcast.app.guard.access import Rule
from gridcast.app.guard.authentication import Principal
from gridcast.app.guard.refusals import Refusal
from gridcast.store import audit
from gridcast.store.errors import StoreError
from gridcast.store.store import Store

NOBODY: Final = "nobody"
_MOST_ROWS_A_MINUTE: Final = 60
_MOST_CALLERS: Final = 1000
_LOG = logging.getLogger(__name__)


class _Caller(NamedTuple):
    """Whose refusals are counted together."""

    address: str
    actor: str
    role: str
    status: int


@dataclass(slots=True)
class _Again:
    """Further refusals of one caller in a minute."""

    count: int
    first_at: datetime
    last_at: datetime


_OTHERS: Final = _Caller("other addresses", NOBODY, "none", 0)


class Trail:
    """Appends to the audit log of the store.

    The first refusal of a caller in a minute is written at once; the others of that minute are counted and written as
    one row per address, so that an attacker writes few rows however often he tries.
    """

    def __init__(self, store: Store, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._store = store
        self._clock = clock
        self._minute = clock().replace(second=0, microsecond=0)
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="audit")
        self._seen: set[_Caller] = set()
        self._again: dict[_Caller, _Again] = {}

    async def answered(self, scope: Scope, rule: Rule, principal: Principal, *, status: int, address: str) -> None:
        """Write down that a change was asked for and what was answered.

        Raises:
            StoreError: it cannot be written; the caller must not be told that all is well.
        """
        now = self._clock()
        await self._write(self._ended(now))
        entry = audit.Entry(
            at=now,
            actor=principal.name,
            role=principal.role,
            action=f"{rule.method} {rule.template}",
            target=scope["path"],
            detail={"status": status, "subject": principal.subject, "address": address},
        )
        await self._append(entry)

    async def refused(self, scope: Scope, refusal: Refusal, principal: Principal | None, *, address: str) -> None:
        """Write down, or count, that somebody was not let through."""
        if refusal.status_code not in {401, 403}:
            return
        now = self._clock()
        entries = self._ended(now)
        actor, role = (NOBODY, "none") if principal is None else (principal.name, str(principal.role))
        caller = _Caller(address, actor, role, refusal.status_code)
        if caller not in self._seen and len(self._seen) < _MOST_ROWS_A_MINUTE:
            self._seen.add(caller)
            entries.append(
                audit.Entry(
                    at=now,
                    actor=actor,
                    role=role,
                    action=f"refused {scope['method']}",
                    target=scope["path"],
                    detail={"status": refusal.status_code, "why": refusal.detail, "address": address},
                )
            )
        else:
            self._count(caller, now)
        await self._write(entries)

    async def flush(self) -> None:
        """Write down what was only counted so far; to be called now and then, and at the end."""
        await self._write(self._ended(None))

    def _count(self, caller: _Caller, now: datetime) -> None:
        if caller not in self._again and len(self._again) >= _MOST_CALLERS:
            caller = _OTHERS
        counted = self._again.setdefault(caller, _Again(0, now, now))
        counted.count += 1
        counted.last_at = now

    def _ended(self, now: datetime | None) -> list[audit.Entry]:
        """The counts of a minute that is over; None: of the running one as well."""
        minute = None if now is None else now.replace(second=0, microsecond=0)
        if minute == self._minute:
            return []
        again = _shortened(self._again)
        self._again, self._seen, self._minute = {}, set(), minute or self._minute
        return [
            audit.Entry(
                at=each.last_at,
                actor=caller.actor,
                role=caller.role,
                action="refused again",
                target=caller.address,
                detail={"count": each.count, "since": each.first_at.isoformat(), "status": caller.status},
            )
            for caller, each in again.items()
        ]

    async def _append(self, entry: audit.Entry) -> None:
        """In a thread of its own: while the database keeps writers waiting, nothing else waits with them."""
        await asyncio.get_running_loop().run_in_executor(self._writer, audit.append, self._store, entry)

    async def _write(self, entries: list[audit.Entry]) -> None:
        try:
            for entry in entries:
                await self._append(entry)
        except StoreError as error:
            _LOG.error("refusals are not in the audit log: %s", error)


def _shortened(again: dict[_Caller, _Again]) -> dict[_Caller, _Again]:
    """The most frequent callers, and all the others as one."""
    if len(again) <= _MOST_ROWS_A_MINUTE:
        return again
    by_count = sorted(again.items(), key=lambda item: (item[0] != _OTHERS, item[1].count))
    rest = [each for _, each in by_count[: -_MOST_ROWS_A_MINUTE + 1]]
    others = _Again(
        sum(each.count for each in rest), min(each.first_at for each in rest), max(each.last_at for each in rest)
    )
    return {**dict(by_count[-_MOST_ROWS_A_MINUTE + 1 :]), _OTHERS: others}
