"""Spans reach a collector by OTLP over HTTP, with their parents, their stages and no secrets."""

import builtins
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.collector import Collector, attributes, collecting

from gridcast.domain.errors import UsageError
from gridcast.monitoring import traces
from gridcast.monitoring.traces import Stage, begin_traces, end_traces, is_traced, span, trace, trace_id

OUTER = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{OUTER}-b7ad6b7169203331-01"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as found:
        begin_traces(found.url, sampled_share=1.0, service="gridcast")
        try:
            yield found
        finally:
            end_traces()


def test_without_an_endpoint_there_are_no_spans_and_no_library() -> None:
    assert not is_traced()
    with trace("tick") as told, span("inside"):
        told.note({"n": 1})
        told.fail("it did not")
        told.stages([])
        assert trace_id() == ""


def test_spans_have_their_parents_attributes_and_resource(collector: Collector) -> None:
    with trace("gridcast stream", {"gridcast.run_id": "ab"}) as command:
        command.note({"process.exit.code": 0})
        with span("store.transaction"):
            assert len(trace_id()) == 32
    end_traces()
    outer, inner = collector.one("gridcast stream"), collector.one("store.transaction")
    assert inner.parent_span_id == outer.span_id
    assert inner.trace_id == outer.trace_id
    assert attributes(outer) == {"gridcast.run_id": "ab", "process.exit.code": 0}
    assert collector.resources[0]["service.name"] == "gridcast"


def test_a_trace_inside_another_is_its_own_and_linked_to_it(collector: Collector) -> None:
    with trace("gridcast stream"), trace("tick"):
        pass
    end_traces()
    command, tick = collector.one("gridcast stream"), collector.one("tick")
    assert tick.trace_id != command.trace_id
    assert not tick.parent_span_id
    assert [each.span_id for each in tick.links] == [command.span_id]


def test_a_trace_goes_on_with_the_one_its_caller_names(collector: Collector) -> None:
    with trace("GET /v1/series", headers={"traceparent": PARENT}, is_server=True):
        assert trace_id() == OUTER
    with trace("GET /v1/me", headers={"traceparent": "nonsense"}, is_server=True):
        assert trace_id() != OUTER
    end_traces()
    found = collector.one("GET /v1/series")
    assert found.trace_id.hex() == OUTER
    assert found.parent_span_id.hex() == "b7ad6b7169203331"
    assert found.kind == 2


def test_stages_that_are_over_are_parts_with_their_times(collector: Collector) -> None:
    began = datetime(2026, 1, 1, tzinfo=UTC)
    with trace("tick") as told:
        told.stages([Stage("clean", began, began + timedelta(seconds=2))])
    end_traces()
    stage = collector.one("clean")
    assert stage.parent_span_id == collector.one("tick").span_id
    assert stage.end_time_unix_nano - stage.start_time_unix_nano == 2_000_000_000
    assert stage.start_time_unix_nano == int(began.timestamp()) * 1_000_000_000


def test_what_fails_is_told_as_failed_without_secrets(collector: Collector) -> None:
    with pytest.raises(ValueError, match="hunter"), trace("tick"):
        raise ValueError("cannot reach postgresql://me:hunter22@db/grid")
    end_traces()
    found = collector.one("tick")
    assert found.status.code == 2
    assert found.status.message == "ValueError: cannot reach postgresql://me:[redacted]@db/grid"
    assert b"hunter22" not in found.SerializeToString()


def test_only_the_share_that_is_asked_for_is_sent() -> None:
    with collecting() as found:
        begin_traces(found.url, sampled_share=0.3, service="gridcast")
        for _ in range(200):
            with trace("tick"):
                pass
        end_traces()
    assert 20 < len(found.spans) < 110


def test_a_collector_that_is_not_there_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    began = datetime.now(UTC)
    begin_traces("http://127.0.0.1:9/v1/traces", sampled_share=1.0, service="gridcast")
    with trace("tick"):
        pass
    end_traces()
    assert datetime.now(UTC) - began < timedelta(seconds=30)
    assert any("opentelemetry" in each.name for each in caplog.records)


def test_without_the_extra_an_endpoint_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    load = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "gridcast.monitoring.otlp":
            raise ModuleNotFoundError(f"No module named {name!r}", name="opentelemetry.exporter")
        return load(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match=r"opentelemetry\.exporter is not installed; expected .* extra 'telemetry'"):
        traces.begin_traces("http://127.0.0.1:9/v1/traces", sampled_share=1.0, service="gridcast")
