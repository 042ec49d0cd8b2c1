"""Every request counted, timed, and told of in logs and traces: by its route, never by what was asked or sent."""

import logging
import re
import secrets
import time
from http import HTTPMethod
from typing import Final

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gridcast.app.guard.access import AccessRules
from gridcast.monitoring.log_context import bound
from gridcast.monitoring.logs import tell
from gridcast.monitoring.traces import trace
from gridcast.monitoring.traffic import Traffic

UNKNOWN: Final = "unknown"
"""Route of what is no path of ours."""
_LOG: Final = logging.getLogger(__name__)
_METHODS: Final = frozenset(HTTPMethod)
_ID: Final = re.compile(rb"[\w.-]{1,64}")


def observe(app: FastAPI, *, rules: AccessRules, traffic: Traffic) -> None:
    """Put this around an app and all that protects it."""
    app.middleware_stack = Observed(app.middleware_stack or app.build_middleware_stack(), rules=rules, traffic=traffic)


class Observed:
    """Stands around all the rest. Answers carry `X-Request-ID`: what the caller sent, or one made here."""

    def __init__(self, app: ASGIApp, *, rules: AccessRules, traffic: Traffic) -> None:
        self._app, self._rules, self._traffic = app, rules, traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0
        method = scope["method"] if scope["method"] in _METHODS else "other"
        rule = self._rules.find(scope["method"], scope["path"])
        route = UNKNOWN if rule is None else rule.template
        headers = dict(scope["headers"])
        request_id = _request_id(headers.get(b"x-request-id", b""))

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
                self._traffic.count(method=method, route=route, status=status, seconds=time.perf_counter() - began)
            await send(message)

        facts = {"http.request.method": method, "http.route": route, "gridcast.request_id": request_id}
        carried = {"traceparent": headers.get(b"traceparent", b"").decode("latin-1")}
        with bound(request_id=request_id), trace(f"{method} {route}", facts, headers=carried, is_server=True) as span:
            try:
                await self._app(scope, receive, watched)
            finally:
                principal = scope.get("state", {}).get("principal")
                caller = "" if principal is None else principal.name
                span.note({"http.response.status_code": status, "gridcast.caller": caller})
                if status >= 500:
                    span.fail(f"status {status}")
                told = {"method": method, "route": route, "status": status, "caller": caller}
                tell(_LOG, "request", fields={**told, "seconds": round(time.perf_counter() - began, 4)})


def _request_id(given: bytes) -> str:
    """What the caller calls the request, if that is short and plain."""
    return given.decode() if _ID.fullmatch(given) else secrets.token_hex(8)
