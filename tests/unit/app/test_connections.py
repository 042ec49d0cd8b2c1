"""A stranger's connection costs little memory and little time, on a real server."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
import uvicorn

from gridcast.app.guard.connections import GuardedConnection


class Impatient(GuardedConnection):
    HEAD_S: ClassVar[float] = 0.5


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    config = uvicorn.Config(app, http=Impatient, log_config=None, access_log=False, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join()


def everything(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    answer = b""
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(65536):
            answer += part
    return answer


@pytest.mark.parametrize(
    ("start", "more"),
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n", b"a: bbbbbbbb\r\n" * 1000, id="headers without end"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\nA: ", b"b" * 10_000, id="a header without end"),
        pytest.param(b"GET /", b"b" * 10_000, id="an address without end"),
    ],
)
def test_a_head_without_end_is_cut_off(start: bytes, more: bytes, port: int) -> None:
    sent = 0
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(start)
        while sent < 100_000_000:
            connection.sendall(more)
            sent += len(more)
    assert sent < 20_000_000


@pytest.mark.parametrize("said", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n"])
def test_a_head_that_does_not_come_is_not_waited_for(said: bytes, port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(said)
        began = time.monotonic()
        assert everything(connection) == b""
        assert 0.3 < time.monotonic() - began < 5


def test_a_slow_body_and_a_second_request_are_waited_for(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n")
        for part in (b"a", b"b", b"c"):
            time.sleep(0.3)
            connection.sendall(part)
        assert b"200 OK" in connection.recv(65536)
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert everything(connection).endswith(b"ok")


def test_many_headers_within_the_limit_are_taken(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n")
        for _ in range(6):
            connection.sendall(b"a: " + b"b" * 8000 + b"\r\n")
            time.sleep(0.02)
        connection.sendall(b"\r\n")
        assert everything(connection).endswith(b"ok")
