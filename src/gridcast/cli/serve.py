"""`gridcast serve`: the API and the page."""

import os
import socket
import sys
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gridcast.cli.options import ConfigOption
from gridcast.cli.output import remark
from gridcast.cli.stop import stop_asked
from gridcast.domain.errors import UsageError

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

    from gridcast.settings.service import ServiceSettings

_GIVE_BACK: Final = "background_thread:true,dirty_decay_ms:500,muzzy_decay_ms:500"
"""Memory that polars has freed goes back to the system within a second: the service runs for months."""
_SWITCH_S: Final = 0.001
"""Longest that the loop waits for a thread that works on frames."""
_MOST_CONNECTIONS: Final = 1_000
_GRACE_S: Final = 5
"""Seconds that requests in hand have to end once the service is stopped."""


def serve(
    config: ConfigOption = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on. [default: service.host]")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port; 0 takes any that is free. [default: service.port]")
    ] = None,
) -> None:
    """Serve the API, and at / a page to look at, until SIGTERM or Ctrl-C.

    Nobody gets in without an API key or a token of the identity provider in the settings; without either the service
    does not start. Models that are promoted meanwhile are served without a restart.

    \b
    Examples:
      gridcast key create --name me --role admin
      gridcast serve --port 8080
    """
    os.environ.setdefault("_RJEM_MALLOC_CONF", _GIVE_BACK)  # read when polars is loaded, which is below
    from gridcast.cli.installation import Installation

    try:
        import uvicorn

        from gridcast.app.application import create_app
        from gridcast.app.service import Service
    except ModuleNotFoundError as error:
        raise UsageError(f"{error}; expected gridcast installed with its extra 'api'.") from error

    here = Installation.open(config)
    settings = _listening(here.settings.app.service, host=host, port=port)
    with here.store() as store:
        app = create_app(Service(store, here.workspace, here.settings.app.model_copy(update={"service": settings})))
        with _listening_socket(settings) as listening, stop_asked():
            address = "{}:{}".format(*listening.getsockname()[:2])
            remark(f"serving on {'https' if settings.tls else 'http'}://{address}/ until stopped.")
            sys.setswitchinterval(_SWITCH_S)
            uvicorn.Server(_configured(app, settings)).run(sockets=[listening])


def _listening(settings: "ServiceSettings", *, host: str | None, port: int | None) -> "ServiceSettings":
    """The settings with what the options say.

    Raises:
        UsageError: keys would travel unencrypted.
    """
    from pydantic import ValidationError

    from gridcast.settings.service import ServiceSettings

    given = {"host": host or settings.host, "port": settings.port if port is None else port}
    try:
        return ServiceSettings.model_validate({**settings.model_dump(), **given})
    except ValidationError as error:
        raise UsageError(f"--host {host}: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from error


def _listening_socket(settings: "ServiceSettings") -> socket.socket:
    try:
        return socket.create_server(
            (settings.host, settings.port), family=socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        )
    except OSError as error:
        raise UsageError(
            f"{settings.host}:{settings.port}: {error.strerror}; expected an address of this machine and a port that "
            "is free. Choose others with --host and --port."
        ) from error


def _configured(app: "FastAPI", settings: "ServiceSettings") -> "uvicorn.Config":
    import uvicorn

    from gridcast.app.connections import GuardedConnection

    return uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        ssl_certfile=None if settings.tls is None else settings.tls.cert,
        ssl_keyfile=None if settings.tls is None else settings.tls.key,
        timeout_graceful_shutdown=_GRACE_S,
        http=GuardedConnection,
        limit_concurrency=_MOST_CONNECTIONS,
        ws="none",
    )
