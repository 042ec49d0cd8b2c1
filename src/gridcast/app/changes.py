"""What has changed in the store, looked up a few times a second by one task for everybody who waits."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Final

from starlette.concurrency import run_in_threadpool

from gridcast.store.errors import StoreError
from gridcast.store.marks import Mark, mark_of
from gridcast.store.store import Store

LOOK_EVERY: Final = 0.2
"""Seconds."""


@dataclass(slots=True, eq=False)
class Changes:
    """The newest mark of the store; those who wait are told of each new one.

    Attributes:
        store: what is looked at.
        prepare: what is done for a new mark before anybody is told.
        mark: what it was the last time; None: not known, such as while the store does not answer.
    """

    store: Store
    prepare: Callable[[Mark], None] = lambda _: None
    mark: Mark | None = None
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition, init=False)

    async def look(self) -> None:
        """Look once, and tell if something is new."""
        try:
            found = await run_in_threadpool(self._read)
        except StoreError:
            found = None
        if found != self.mark:
            async with self._changed:
                self.mark = found
                self._changed.notify_all()

    async def watch(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY)

    async def after(self, seen: Mark | None, *, within: float) -> Mark | None:
        """A mark other than one that was seen, or the same after so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within), self._changed:
                await self._changed.wait_for(lambda: self.mark is not None and self.mark != seen)
        return self.mark

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Watch as long as the block lasts."""
        await self.look()
        task = asyncio.create_task(self.watch())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def _read(self) -> Mark:
        with self.store.transaction() as connection:
            found = mark_of(connection)
        if found != self.mark:
            self.prepare(found)
        return found
