"""Ports and brokers, and files with secrets: what an installation shares with the world around it."""

import contextlib
import http.client
import socket
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from gridcast.workflows.watching.doctor import Finding, failure, ok, warning

_PATIENCE_S: Final = 3.0


class Address(NamedTuple):
    """Where something listens."""

    host: str
    port: int

    def __str__(self) -> str:
        """As people write it."""
        return f"{self.host}:{self.port}"


def service_port(address: Address) -> Iterator[Finding]:
    """Whether the service could listen, or listens already."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        with socket.create_server(address, family=family):
            yield ok(f"{address} is free")
    except OSError as error:
        if _is_gridcast(address):
            yield ok(f"gridcast answers at {address}")
        else:
            yield warning(
                f"{address}: {error.strerror}, and no gridcast answers there",
                advice="gridcast serve will not start: choose another service.port, or end what listens there.",
            )


def brokers(source: str, addresses: Collection[Address]) -> Iterator[Finding]:
    """Whether one of the brokers of a source takes connections."""
    reasons = []
    for each in addresses:
        try:
            socket.create_connection(each, timeout=_PATIENCE_S).close()
        except OSError as error:
            reasons.append(f"{each}: {error.strerror or error}")
        else:
            yield ok(f"source {source}: {each} takes connections")
            return
    yield failure(
        f"source {source}: no broker can be reached ({'; '.join(reasons)})",
        advice="start the broker, open the way to it, or correct its address in config/pipeline_config.yaml.",
    )


def collector(endpoint: str | None) -> Iterator[Finding]:
    """Whether a collector of traces takes connections; work goes on without it."""
    if endpoint is None:
        yield ok("the settings name none")
        return
    parts = urlsplit(endpoint)
    address = Address(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
    try:
        socket.create_connection(address, timeout=_PATIENCE_S).close()
    except OSError as error:
        yield warning(
            f"{address}: {error.strerror or error}; traces are lost",
            advice="start the collector, or set tracing.endpoint in config/app_config.yaml to null.",
        )
    else:
        yield ok(f"{address} takes connections")


def secrets(files: Collection[Path]) -> Iterator[Finding]:
    """Whether files with passwords and keys are there and are their owner's alone."""
    for path in files:
        if not path.is_file():
            yield failure(f"{path} is not there", advice="write it, or correct its name in the settings.")
        elif path.stat().st_mode & 0o077:
            mode = f"{path.stat().st_mode & 0o777:o}"
            yield warning(f"{path} can be read by others (mode {mode})", advice=f"chmod 600 {path}")
        elif not path.stat().st_size:
            yield failure(f"{path} is empty", advice="write the secret as its first line.")
        else:
            yield ok(f"{path} is its owner's alone")
    if not files:
        yield ok("the settings name no file with one")


def _is_gridcast(address: Address) -> bool:
    connection = http.client.HTTPConnection(address.host, address.port, timeout=_PATIENCE_S)
    with contextlib.closing(connection):
        try:
            connection.request("GET", "/v1/health")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
