"""What stands around the whole API: nothing gets in or out past it."""

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp

from gridcast.app.guard.access import AccessRules
from gridcast.app.guard.authentication import Authentication
from gridcast.app.guard.body_limit import BodyLimit
from gridcast.app.guard.gate import Gate
from gridcast.app.guard.rate_limit import TokenBuckets
from gridcast.app.guard.security_headers import SecurityHeaders
from gridcast.app.guard.trail import Trail
from gridcast.settings.service import ServiceSettings


def protect(
    app: FastAPI,
    *,
    settings: ServiceSettings,
    authentication: Authentication,
    trail: Trail,
    rules: AccessRules | None = None,
) -> None:
    """Put the gate, the limits and the headers around an app that has all its routes; nothing can be added after."""
    stack: ASGIApp = BodyLimit(app.build_middleware_stack(), most_bytes=settings.limits.body_bytes)
    stack = Gate(
        stack,
        rules=rules or AccessRules(),
        authentication=authentication,
        limit=TokenBuckets(per_minute=settings.limits.requests_per_minute),
        trail=trail,
    )
    if settings.cors_origins:
        stack = CORSMiddleware(
            stack,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "POST", "DELETE"),
            allow_headers=("Authorization", "Content-Type", "Idempotency-Key", "X-API-Key"),
        )
    if settings.trusted_hosts:
        stack = TrustedHostMiddleware(stack, allowed_hosts=settings.trusted_hosts, www_redirect=False)
    app.middleware_stack = SecurityHeaders(stack, is_encrypted=settings.is_encrypted)
