"""An OpenTelemetry collector on this machine: it takes OTLP over HTTP and keeps the spans."""

import contextlib
import gzip
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

PATH = "/v1/traces"


@dataclass
class Collector:
    """Spans in the order in which they came, and the headers of the last request."""

    url: str = ""
    spans: list[Any] = field(default_factory=list)
    resources: list[dict[str, str]] = field(default_factory=list)

    def named(self, name: str) -> list[Any]:
        return [each for each in self.spans if each.name == name]

    def one(self, name: str) -> Any:
        found = self.named(name)
        assert len(found) == 1, [each.name for each in self.spans]
        return found[0]


def attributes(span: Any) -> dict[str, str | int]:
    """Of a span, texts and whole numbers."""
    return {each.key: getattr(each.value, str(each.value.WhichOneof("value"))) for each in span.attributes}


@contextlib.contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a port of its own."""
    found = Collector()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            is_right = self.path == PATH and self.headers["Content-Type"] == "application/x-protobuf"
            if is_right:
                for each in ExportTraceServiceRequest.FromString(body).resource_spans:
                    found.resources.append({at.key: at.value.string_value for at in each.resource.attributes})
                    found.spans += [span for scope in each.scope_spans for span in scope.spans]
            self.send_response(200 if is_right else 400)
            self.send_header("Content-Type", "application/x-protobuf")
            self.end_headers()
            self.wfile.write(ExportTraceServiceResponse().SerializeToString())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the base class
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    found.url = f"http://127.0.0.1:{server.server_address[1]}{PATH}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
