"""Spans by the OpenTelemetry SDK, sent by OTLP over HTTP."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from opentelemetry import trace as otel
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Link, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from gridcast import __version__
from gridcast.monitoring.redaction import text_without_secrets
from gridcast.monitoring.traces import Attributes, Span, Stage

_LONGEST_S: Final = 5
"""Seconds that sending may take."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CARRIED: Final = TraceContextTextMapPropagator()


class Tracing:
    """Where spans go."""

    def __init__(self, endpoint: str, *, sampled_share: float, service: str) -> None:
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": service, "service.version": __version__}),
            sampler=ParentBased(TraceIdRatioBased(sampled_share)),
            shutdown_on_exit=False,
        )
        exporter = OTLPSpanExporter(endpoint=endpoint, timeout=_LONGEST_S)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("gridcast", __version__)

    def close(self) -> None:
        """Send the rest."""
        self._provider.force_flush(_LONGEST_S * 1000)
        self._provider.shutdown()

    @contextlib.contextmanager
    def span(self, name: str, attributes: Attributes) -> Iterator[Span]:
        """A span inside the one around it."""
        with (
            self._tracer.start_as_current_span(
                name, attributes=dict(attributes), record_exception=False, set_status_on_exception=False
            ) as made,
            _failures_told(made),
        ):
            yield _Told(self._tracer, made)

    @contextlib.contextmanager
    def trace(
        self, name: str, attributes: Attributes, headers: Mapping[str, str], *, is_server: bool
    ) -> Iterator[Span]:
        """A trace of its own, or part of the one in `headers`."""
        around = otel.get_current_span().get_span_context()
        with (
            self._tracer.start_as_current_span(
                name,
                context=_CARRIED.extract(dict(headers), context=Context()),
                kind=SpanKind.SERVER if is_server else SpanKind.INTERNAL,
                attributes=dict(attributes),
                links=[Link(around)] if around.is_valid else [],
                record_exception=False,
                set_status_on_exception=False,
            ) as made,
            _failures_told(made),
        ):
            yield _Told(self._tracer, made)

    def trace_id(self) -> str:
        """Of the span around."""
        found = otel.get_current_span().get_span_context()
        return otel.format_trace_id(found.trace_id) if found.is_valid else ""


class _Told(Span):
    """A span that is sent."""

    def __init__(self, tracer: otel.Tracer, made: otel.Span) -> None:
        self._tracer, self._made = tracer, made

    def note(self, attributes: Attributes) -> None:
        self._made.set_attributes(dict(attributes))

    def fail(self, why: str) -> None:
        self._made.set_status(Status(StatusCode.ERROR, text_without_secrets(why)))

    def stages(self, stages: Iterable[Stage]) -> None:
        around = otel.set_span_in_context(self._made)
        for each in stages:
            part = self._tracer.start_span(each.name, context=around, start_time=_nanoseconds(each.began))
            part.end(_nanoseconds(each.ended))


@contextlib.contextmanager
def _failures_told(made: otel.Span) -> Iterator[None]:
    """What is raised is told without its trace, whose texts may hold anything."""
    try:
        yield
    except Exception as error:
        made.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {text_without_secrets(str(error))}"))
        raise


def _nanoseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000
