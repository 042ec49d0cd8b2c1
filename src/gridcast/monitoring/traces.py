"""Traces, if they are asked for: spans of what takes time, sent to an OpenTelemetry collector."""

import contextlib
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from gridcast.domain.errors import UsageError

if TYPE_CHECKING:
    from gridcast.monitoring.otlp import Tracing

Attributes: TypeAlias = Mapping[str, str | int | float | bool]


class Stage(NamedTuple):
    """A part of something that has taken place."""

    name: str
    began: datetime
    ended: datetime


class Span:
    """Something that takes time; this one is told to nobody."""

    def note(self, attributes: Attributes) -> None:
        """Say more of it."""

    def fail(self, why: str) -> None:
        """Say that it went wrong."""

    def stages(self, stages: Iterable[Stage]) -> None:
        """Say what it was made up of."""


_UNTOLD: Final = contextlib.nullcontext(Span())
_begun: "list[Tracing]" = []
"""The one way out, while there is one."""


def begin_traces(endpoint: str, *, sampled_share: float, service: str) -> None:
    """Send spans from now on to the OTLP/HTTP address of a collector.

    Raises:
        UsageError: what it takes is not installed.
    """
    try:
        from gridcast.monitoring.otlp import Tracing  # noqa: PLC0415 - with the extra only
    except ModuleNotFoundError as error:
        raise UsageError(
            f"tracing.endpoint is set, but {error.name} is not installed; expected gridcast with its extra "
            "'telemetry'. Install it, or leave tracing.endpoint out."
        ) from error
    end_traces()
    _begun.append(Tracing(endpoint, sampled_share=sampled_share, service=service))


def end_traces() -> None:
    """Send what has not been sent, and stop."""
    while _begun:
        _begun.pop().close()


def is_traced() -> bool:
    """Whether spans are sent."""
    return bool(_begun)


def span(name: str, attributes: Attributes | None = None) -> AbstractContextManager[Span]:
    """The block as a span inside the one around it."""
    return _begun[0].span(name, attributes or {}) if _begun else _UNTOLD


def trace(
    name: str,
    attributes: Attributes | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    is_server: bool = False,
) -> AbstractContextManager[Span]:
    """The block as a trace of its own, or as part of the one that W3C `headers` name; linked to the span around it."""
    return _begun[0].trace(name, attributes or {}, headers or {}, is_server=is_server) if _begun else _UNTOLD


def trace_id() -> str:
    """Of the span around, 32 hexadecimal digits; empty without one."""
    return _begun[0].trace_id() if _begun else ""
