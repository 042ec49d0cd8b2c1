"""A real HTTP server on the loopback interface that gives prepared answers."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Answer:
    """What to send. `claimed`: the length to announce when it is not that of the body."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    claimed: int | None = None


@dataclass(frozen=True)
class Asked:
    """What was asked for: the path and its parameters, each once."""

    path: str
    params: dict[str, str]


@dataclass(frozen=True)
class Web:
    """Where the server is, and what it was asked so far."""

    url: str
    asked: list[Asked]


@contextlib.contextmanager
def serve(answer: Callable[[Asked], Answer]) -> Iterator[Web]:
    """A server that answers every GET with what `answer` gives for it."""
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            question = Asked(parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()})
            asked.append(question)
            given = answer(question)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.send_response(given.status)
                for name, value in given.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(given.body) if given.claimed is None else given.claimed))
                self.end_headers()
                self.wfile.write(given.body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield Web(f"http://127.0.0.1:{server.server_port}", asked)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def in_turn(*answers: Answer) -> Callable[[Asked], Answer]:
    """These answers one after the other, the last again and again."""
    left = list(answers)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def url_of_nobody() -> str:
    """An address on this machine where no server listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"
