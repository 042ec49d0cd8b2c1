"""Requests are counted by route and class of status, refusals by reason, times in bins that only grow."""

import threading

from prometheus_client.parser import text_string_to_metric_families

from gridcast.monitoring.exposition import exposition
from gridcast.monitoring.traffic import BOUNDS_S, REFUSED, Traffic


def told(traffic: Traffic) -> dict[tuple[str, ...], float]:
    text = exposition(traffic.samples()).decode()
    return {
        (each.name, *each.labels.values()): each.value
        for family in text_string_to_metric_families(text)
        for each in family.samples
    }


def test_every_reason_is_told_from_the_start_and_nothing_else() -> None:
    assert told(Traffic()) == {("gridcast_http_refusals_total", reason): 0.0 for reason in REFUSED.values()}


def test_answers_are_counted_where_they_belong() -> None:
    traffic = Traffic()
    for status, seconds in ((200, 0.003), (200, 0.3), (429, 0.001), (499, 0.001), (503, 99.0)):
        traffic.count(method="GET", route="/v1/series", status=status, seconds=seconds)
    found = told(traffic)
    assert found["gridcast_http_requests_total", "GET", "/v1/series", "2xx"] == 2
    assert found["gridcast_http_requests_total", "GET", "/v1/series", "4xx"] == 2
    assert found["gridcast_http_requests_total", "GET", "/v1/series", "5xx"] == 1
    assert found["gridcast_http_refusals_total", "too_many"] == 1
    assert sum(value for (name, *_), value in found.items() if name == "gridcast_http_refusals_total") == 1
    bins = [value for (name, *_), value in found.items() if name == "gridcast_http_request_seconds_bucket"]
    assert len(bins) == len(BOUNDS_S)
    assert bins == sorted(bins)
    assert (bins[0], bins[-2], bins[-1]) == (3, 4, 5)


def test_counting_from_many_threads_while_it_is_told_loses_nothing() -> None:
    traffic = Traffic()

    def count(route: str) -> None:
        for _ in range(500):
            traffic.count(method="GET", route=route, status=200, seconds=0.1)

    threads = [threading.Thread(target=count, args=(f"/{number}",)) for number in range(4)]
    for each in threads:
        each.start()
    while any(each.is_alive() for each in threads):
        told(traffic)
    for each in threads:
        each.join()
    found = told(traffic)
    assert [found["gridcast_http_requests_total", "GET", f"/{number}", "2xx"] for number in range(4)] == [500] * 4
