"""The process that serves: uvicorn, set up for months behind a proxy or alone."""

import socket
import sys
from typing import Final

import uvicorn

from gridcast.app.application import create_app
from gridcast.app.guard.connections import GuardedConnection
from gridcast.app.service import Service

_GRACE_S: Final = 5
"""Seconds that requests in hand have to end once the service is stopped."""
_MOST_CONNECTIONS: Final = 1_000
_SWITCH_S: Final = 0.001
"""Longest that the loop waits for a thread that works on frames."""


def serve_on(listening: socket.socket, service: Service) -> None:
    """Serve on a socket until SIGTERM or SIGINT.

    Raises:
        UsageError: nobody could be let in.
    """
    settings = service.settings.service
    sys.setswitchinterval(_SWITCH_S)
    config = uvicorn.Config(
        create_app(service),
        log_config=None,
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
    uvicorn.Server(config).run(sockets=[listening])
