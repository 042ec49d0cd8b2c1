"""Every panel that asks Prometheus gets an answer from a real one, with every label its legend names."""

import contextlib
import itertools
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from support.grafana import BOARDS, Looked, panels, read
from support.prometheus import eventually, watching

from gridcast.monitoring.exposition import Sample, exposition
from gridcast.monitoring.metric_names import METRICS, Kind, Metric

NOW = datetime.now(UTC)
LABELS = {"series_id": "zone_n", "level": "zone"}


def sample(metric: Metric, number: int) -> Sample:
    """A value of every metric; counters and histograms go up from one scrape to the next."""
    labels = tuple(LABELS.get(label, label) for label in metric.labels)
    bins = (("0.5", 3.0 * number), ("+Inf", 4.0 * number)) if metric.kind is Kind.HISTOGRAM else ()
    return Sample(metric, labels, float(number if metric.kind is Kind.COUNTER else 1), bins)


@contextlib.contextmanager
def exposed() -> Iterator[str]:
    """Where all metrics are told, higher counts each time."""
    times = itertools.count(1)

    class Told(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            number = next(times)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(exposition([sample(metric, number) for metric in METRICS]))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the base class
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Told) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("watching")
    with exposed() as target, watching(folder, target=target, key="any", rules="groups: []", hook=9) as url:
        eventually(
            lambda: any(float(each["value"][1]) >= 3 for each in answers(url, "count_over_time(gridcast_store_up[1m])"))
        )
        yield url


def answers(url: str, expression: str) -> list[dict[str, Any]]:
    """What Prometheus knows now; nothing before it answers."""
    with contextlib.suppress(httpx.TransportError):
        answer = httpx.get(f"{url}/api/v1/query", params={"query": expression})
        if answer.status_code != 503:
            answer.raise_for_status()
            found: list[dict[str, Any]] = answer.json()["data"]["result"]
            return found
    return []


def asked() -> Iterator[Any]:
    for path in BOARDS:
        for panel in panels(read(path)):
            for target in panel["targets"]:
                if "expr" in target:
                    yield pytest.param(target, id=f"{path.stem}: {panel['title']} {target['refId']}")


@pytest.mark.parametrize("target", list(asked()))
def test_a_panel_gets_an_answer_with_the_labels_of_its_legend(prometheus: str, target: dict[str, Any]) -> None:
    looked = Looked(NOW, NOW, chosen={"level": ".*", "zones": ["zone_n", "zone_s"]})
    found = answers(prometheus, looked.expanded(target["expr"]))
    assert found
    named = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
    assert all(named <= each["metric"].keys() for each in found)
    assert all(float(each["value"][1]) == float(each["value"][1]) for each in found), "a number"
