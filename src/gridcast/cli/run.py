"""One call of a command, from the outside: its logs, its trace, and how it ended."""

import contextlib
import logging
import os
import secrets
import time
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from gridcast.monitoring.log_context import bound
from gridcast.monitoring.logs import begin_logs, tell
from gridcast.monitoring.traces import Span, begin_traces, end_traces, trace

if TYPE_CHECKING:
    from gridcast.settings.app import AppSettings

_LOG: Final = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Run:
    """A call of a command.

    Attributes:
        command: its words, without options and values.
        run_id: tells calls apart.
        began: when, in monotonic seconds.
    """

    command: str
    run_id: str = field(default_factory=lambda: secrets.token_hex(8))
    began: float = field(default_factory=time.monotonic)
    is_known: bool = field(default=False, init=False)
    span: Span = field(default_factory=Span, init=False)
    ends: contextlib.ExitStack = field(default_factory=contextlib.ExitStack, init=False)

    def begin(self, settings: "AppSettings") -> None:
        """Log and trace as the settings say; further calls change nothing.

        Raises:
            UsageError: traces are asked for and cannot be made.
        """
        if self.is_known:
            return
        self.is_known = True
        begin_logs(settings.logging.format, level=settings.logging.level)
        if settings.tracing.endpoint is not None:
            begin_traces(settings.tracing.endpoint, sampled_share=settings.tracing.sampled_share, service="gridcast")
            self.ends.callback(end_traces)
        carried = {"traceparent": os.environ.get("TRACEPARENT", "")}
        facts = {"gridcast.command": self.command, "gridcast.run_id": self.run_id}
        self.span = self.ends.enter_context(trace(f"gridcast {self.command}", facts, headers=carried))
        tell(_LOG, "command started")

    def end(self, code: int) -> None:
        """Say how it ended."""
        seconds = round(time.monotonic() - self.began, 3)
        self.span.note({"process.exit.code": code})
        if code:
            self.span.fail(f"exit code {code}")
        tell(_LOG, "command ended", fields={"exit_code": code, "seconds": seconds})


_RUN: Final[ContextVar[Run | None]] = ContextVar("run", default=None)


@contextlib.contextmanager
def running(words: Sequence[str], *, groups: Sequence[str]) -> Iterator[Run]:
    """A call of the command that begins with some words; of a group, the command is two words."""
    named = [each for each in words if not each.startswith("-")]
    run = Run(" ".join(named[: 2 if named and named[0] in groups else 1]))
    token = _RUN.set(run)
    try:
        with bound(run_id=run.run_id, command=run.command), run.ends:
            yield run
    finally:
        _RUN.reset(token)


def begin_run(settings: "AppSettings") -> None:
    """The settings of the command under way are known; where none was typed, nothing happens.

    Raises:
        UsageError: traces are asked for and cannot be made.
    """
    run = _RUN.get()
    if run is not None:
        run.begin(settings)
