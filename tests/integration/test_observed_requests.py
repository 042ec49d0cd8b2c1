"""Requests are counted, logged and traced by route and caller, and nothing that was sent is told."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.collector import attributes, collecting
from support.plant import Plant
from support.served import Served, served

from gridcast.domain.roles import Role
from gridcast.monitoring.exposition import exposition
from gridcast.monitoring.logs import Form, Level, begin_logs
from gridcast.monitoring.traces import begin_traces, end_traces

SECRET = "gck_" + "Zq" * 20
OUTER = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = {"traceparent": f"00-{OUTER}-b7ad6b7169203331-01"}


@pytest.fixture(scope="module")
def here(plant: Plant, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("observed")
    with served(plant, folder / "data", folder / "gridcast.db") as found:
        yield found


@pytest.fixture
def in_json() -> Iterator[None]:
    begin_logs(Form.JSON, level=Level.INFO)
    yield
    begin_logs(Form.TEXT, level=Level.WARNING)


def requests_in(told: str) -> list[dict[str, Any]]:
    lines = [json.loads(each) for each in told.splitlines() if each.startswith("{")]
    return [each for each in lines if each["event"] == "request"]


def counted(here: Served) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(exposition(here.service.traffic.samples()).decode())
    return {(each.name, *each.labels.values()): each.value for family in families for each in family.samples}


def test_a_request_is_told_by_route_status_and_caller(
    here: Served, in_json: None, capsys: pytest.CaptureFixture[str]
) -> None:
    with here.client(Role.OPERATOR) as client:
        answer = client.get(
            "/v1/forecasts/zone_n", params={"start": "2024-05-30T00:00Z"}, headers={"x-request-id": "r-1"}
        )
        client.get("/v1/series/nobody")
    here.finish()
    assert answer.headers["x-request-id"] == "r-1"
    first, second = requests_in(capsys.readouterr().err)
    assert {name: first[name] for name in ("method", "route", "status", "caller", "request_id", "level")} == {
        "method": "GET", "route": "/v1/forecasts/{series_id}", "status": 200, "caller": "the operator",
        "request_id": "r-1", "level": "info",
    }  # fmt: skip
    assert first["seconds"] > 0
    assert (second["route"], second["status"]) == ("/v1/series/{series_id}", 404)
    assert len(second["request_id"]) == 16


def test_no_key_token_query_or_path_gets_into_logs_or_traces(
    here: Served, in_json: None, capsys: pytest.CaptureFixture[str]
) -> None:
    with collecting() as collector, here.client(Role.ADMIN) as client:
        begin_traces(collector.url, sampled_share=1.0, service="gridcast")
        try:
            httpx.get(f"{here.url}/v1/me", headers={"Authorization": f"Bearer {SECRET}"})
            httpx.get(f"{here.url}/v1/me", headers={"X-API-Key": SECRET}, params={"token": SECRET})
            httpx.get(f"{here.url}/{SECRET}/x", params={"password": SECRET})
            made = client.post("/v1/keys", json={"name": "robot", "role": "viewer"}, headers={"x-request-id": "a b"})
            here.finish()
        finally:
            end_traces()
    told = capsys.readouterr().err + str(collector.spans)
    assert made.status_code == 201
    assert SECRET not in told
    assert made.json()["key"] not in told
    assert here.keys[Role.ADMIN] not in told
    found = requests_in(told)
    assert [each["route"] for each in found] == ["/v1/me", "/v1/me", "unknown", "/v1/keys"]
    assert [each["status"] for each in found] == [401, 401, 404, 201]
    assert [each["caller"] for each in found] == ["", "", "", "the admin"]
    assert found[-1]["request_id"] != "a b"


def test_a_request_is_part_of_its_callers_trace(
    here: Served, in_json: None, capsys: pytest.CaptureFixture[str]
) -> None:
    with collecting() as collector, here.client(Role.VIEWER) as client:
        begin_traces(collector.url, sampled_share=1.0, service="gridcast")
        try:
            client.get("/v1/series", headers=TRACEPARENT)
            here.finish()
        finally:
            end_traces()
    span = collector.one("GET /v1/series")
    assert span.trace_id.hex() == OUTER
    assert attributes(span)["http.response.status_code"] == 200
    assert attributes(span)["gridcast.caller"] == "the viewer"
    assert requests_in(capsys.readouterr().err)[0]["trace_id"] == OUTER


def test_requests_and_refusals_are_counted(here: Served) -> None:
    before = counted(here)
    with here.client(Role.VIEWER) as client, here.client(None) as stranger:
        assert client.get("/v1/series").status_code == 200
        assert stranger.get("/v1/series").status_code == 401
        assert client.get("/v1/keys").status_code == 403
        assert stranger.get("/nowhere").status_code == 404
        assert client.put("/v1/series").status_code == 405
        told = client.get("/metrics").text
    after = counted(here)
    grown = {name: value - before.get(name, 0.0) for name, value in after.items() if value != before.get(name, 0.0)}
    requests = {name[1:]: n for name, n in grown.items() if name[0] == "gridcast_http_requests_total"}
    assert requests == {
        ("GET", "/v1/series", "2xx"): 1,
        ("GET", "/v1/series", "4xx"): 1,
        ("GET", "/v1/keys", "4xx"): 1,
        ("GET", "unknown", "4xx"): 1,
        ("PUT", "unknown", "4xx"): 1,
        ("GET", "/metrics", "2xx"): 1,
    }
    refusals = {name[1]: n for name, n in grown.items() if name[0] == "gridcast_http_refusals_total"}
    assert refusals == {"unauthenticated": 1, "forbidden": 1, "not_found": 1, "wrong_method": 1}
    assert 'gridcast_http_request_seconds_bucket{le="+Inf",route="/v1/series"}' in told


def test_a_store_that_fails_is_told_as_an_error_with_the_request_it_failed(
    here: Served, in_json: None, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with here.store.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE scores RENAME TO gone")
    try:
        with here.client(Role.VIEWER) as client:
            assert client.get("/v1/accuracy", headers={"x-request-id": "r-9"}).status_code == 503
        here.finish()
    finally:
        with here.store.transaction() as connection:
            connection.exec_driver_sql("ALTER TABLE gone RENAME TO scores")
    lines = [json.loads(each) for each in capsys.readouterr().err.splitlines()]
    assert [(each["level"], each["request_id"]) for each in lines] == [("error", "r-9"), ("info", "r-9")]
