"""`gridcast serve`: the API and the page."""

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gridcast.cli.options import ConfigOption
from gridcast.cli.output import remark
from gridcast.cli.stop import stop_asked
from gridcast.domain.errors import UsageError

if TYPE_CHECKING:
    from gridcast.settings.service import ServiceSettings

_GIVE_BACK: Final = "background_thread:true,dirty_decay_ms:500,muzzy_decay_ms:500"
"""Memory that polars has freed goes back to the system within a second: the service runs for months."""


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
        from gridcast.app.server import serve_on
        from gridcast.app.service import Service
    except ModuleNotFoundError as error:
        raise UsageError(f"{error}; expected gridcast installed with its extra 'api'.") from error

    here = Installation.open(config)
    _require_catalogue(here.workspace.registry)
    settings = _listening(here.settings.app.service, host=host, port=port)
    with here.store() as store, _listening_socket(settings) as listening, stop_asked():
        service = Service(store, here.workspace, here.settings.app.model_copy(update={"service": settings}))
        address = "{}:{}".format(*listening.getsockname()[:2])
        remark(f"serving on {'https' if settings.tls else 'http'}://{address}/ until stopped.")
        serve_on(listening, service)


def _require_catalogue(registry: Path) -> None:
    from gridcast.registry.catalogue import has_catalogue

    if registry.is_dir() and not has_catalogue(registry):
        raise UsageError(f'{registry}: no list of its models yet; run "gridcast status" once, which writes it.')


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
