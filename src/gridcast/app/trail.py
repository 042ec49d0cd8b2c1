"""What the service writes into the audit log: every change that was asked for, and who was refused."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from starlette.types import Scope

from gridcast.app.access import Rule
from gridcast.app.authentication import Principal
from gridcast.app.refusals import Refusal
from gridcast.store import audit
from gridcast.store.errors import StoreError
from gridcast.store.store import Store

NOBODY: Final = "nobody"
_MOST_ROWS_A_MINUTE: Final = 60
_MOST_ADDRESSES: Final = 1000
_OTHERS: Final = "other addresses"
_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class _Refused:
    """Further refusals of one address in a minute."""

    count: int
    first_at: datetime
    last_at: datetime
    status: int


class Trail:
    """Appends to the audit log of the store.

    The first refusal of a caller in a minute is written at once; the others of that minute are counted and written as
    one row per address, so that an attacker writes few rows however often he tries.
    """

    def __init__(self, store: Store, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._store = store
        self._clock = clock
        self._minute = clock().replace(second=0, microsecond=0)
        self._seen: set[tuple[str, str, int]] = set()
        self._more: dict[str, _Refused] = {}

    async def answered(self, scope: Scope, rule: Rule, principal: Principal, *, status: int, address: str) -> None:
        """Write down that a change was asked for and what was answered.

        Raises:
            StoreError: it cannot be written; the caller must not be told that all is well.
        """
        entry = audit.Entry(
            at=self._clock(),
            actor=principal.name,
            role=principal.role,
            action=f"{rule.method} {rule.template}",
            target=scope["path"],
            detail={"status": status, "subject": principal.subject, "address": address},
        )
        await asyncio.to_thread(audit.append, self._store, entry)

    async def refused(self, scope: Scope, refusal: Refusal, principal: Principal | None, *, address: str) -> None:
        """Write down, or count, that somebody was not let through."""
        if refusal.status_code not in {401, 403}:
            return
        now = self._clock()
        entries = self._ended(now)
        actor = NOBODY if principal is None else principal.name
        caller = (address, actor, refusal.status_code)
        if caller not in self._seen and len(self._seen) < _MOST_ROWS_A_MINUTE:
            self._seen.add(caller)
            entries.append(
                audit.Entry(
                    at=now,
                    actor=actor,
                    role="none" if principal is None else principal.role,
                    action=f"refused {scope['method'][:20]}",
                    target=scope["path"],
                    detail={"status": refusal.status_code, "why": refusal.detail, "address": address},
                )
            )
        else:
            self._count(address, now, refusal.status_code)
        await self._write(entries)

    async def flush(self) -> None:
        """Write down what was only counted so far; to be called now and then, and at the end."""
        await self._write(self._ended(None))

    def _count(self, address: str, now: datetime, status: int) -> None:
        name = address if address in self._more or len(self._more) < _MOST_ADDRESSES else _OTHERS
        counted = self._more.setdefault(name, _Refused(0, now, now, status))
        counted.count += 1
        counted.last_at, counted.status = now, status

    def _ended(self, now: datetime | None) -> list[audit.Entry]:
        """The counts of a minute that is over; None: of the running one as well."""
        minute = None if now is None else now.replace(second=0, microsecond=0)
        if minute == self._minute:
            return []
        many = sorted(self._more.items(), key=lambda item: -item[1].count)
        self._more, self._seen, self._minute = {}, set(), minute or self._minute
        return [
            audit.Entry(
                at=each.last_at,
                actor=NOBODY,
                role="none",
                action="refused again",
                target=address,
                detail={"count": each.count, "since": each.first_at.isoformat(), "status": each.status},
            )
            for address, each in _shortened(many)
        ]

    async def _write(self, entries: list[audit.Entry]) -> None:
        try:
            for entry in entries:
                await asyncio.to_thread(audit.append, self._store, entry)
        except StoreError as error:
            _LOG.error("refusals are not in the audit log: %s", error)


def _shortened(many: list[tuple[str, _Refused]]) -> list[tuple[str, _Refused]]:
    """The most frequent, and the others as one."""
    kept, rest = many[: _MOST_ROWS_A_MINUTE - 1], many[_MOST_ROWS_A_MINUTE - 1 :]
    if not rest:
        return kept
    counts = [each for _, each in rest]
    return [
        *kept,
        (
            _OTHERS,
            _Refused(
                sum(each.count for each in counts),
                min(each.first_at for each in counts),
                max(each.last_at for each in counts),
                counts[0].status,
            ),
        ),
    ]
