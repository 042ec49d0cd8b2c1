"""The service put together: routes, who may use them, limits, and how failures are answered."""

import contextlib
import functools
from collections.abc import AsyncIterator

import anyio.to_thread
from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from gridcast import __version__
from gridcast.app.guard.access import AccessRules
from gridcast.app.guard.authentication import Authentication
from gridcast.app.guard.protection import protect
from gridcast.app.guard.trail import Trail
from gridcast.app.observed import observe
from gridcast.app.problems import Problem, answer_problems
from gridcast.app.routes import (
    accuracy,
    administration,
    exports,
    forecasts,
    metrics,
    models,
    overrides,
    page,
    readings,
    series,
    status,
    stream,
    what_if,
)
from gridcast.app.service import Service

_PACKED_FROM = 1024
_AT_ONCE = 8
"""Requests that work on frames at the same time: it bounds the memory they take together."""
_DESCRIPTION = (
    "Forecasts of demand with their uncertainty, the readings they rest on, how good they were, and what operators "
    "make of them. Loads are mean MW over an interval, times are UTC and label the start of the interval."
)
ROUTERS = (
    status.router,
    series.router,
    readings.router,
    forecasts.router,
    accuracy.router,
    models.router,
    what_if.router,
    overrides.router,
    exports.router,
    stream.router,
    administration.router,
    metrics.router,
)
"""Everything that programs ask."""
_PROBLEMS = {
    code: {"model": Problem, "description": text, "content": {"application/problem+json": {}}}
    for code, text in {
        400: "The request cannot be read.",
        401: "Nobody known asks.",
        403: "The caller's role is not enough.",
        404: "What is named is not there.",
        405: "The method is not used here.",
        409: "What is there does not go with it.",
        413: "Too much at once.",
        422: "What is asked for makes no sense.",
        429: "Asked too often.",
        503: "The store does not answer.",
    }.items()
}


def create_app(service: Service) -> FastAPI:
    """The API and the page over one installation; see `Service`.

    Raises:
        UsageError: nobody could be let in: there is no API key and no identity provider.
    """
    settings = service.settings.service
    authentication = Authentication.create(service.store, settings)
    trail = Trail(service.store)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = _AT_ONCE
        async with service.changes.watched():
            try:
                yield
            finally:
                await trail.flush()

    app = FastAPI(
        title="gridcast",
        version=__version__,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        responses=_PROBLEMS,  # type: ignore[arg-type]
        redirect_slashes=False,
    )
    service.changes.prepare = functools.partial(forecasts.renew, service)
    app.state.service, app.state.authentication = service, authentication
    for router in ROUTERS:
        app.include_router(router)
    app.include_router(page.router)
    answer_problems(app)
    app.add_middleware(GZipMiddleware, minimum_size=_PACKED_FROM)
    app.add_middleware(forecasts.AtHand, newest=service.newest)
    rules = AccessRules()
    protect(app, settings=settings, authentication=authentication, trail=trail, rules=rules)
    observe(app, rules=rules, traffic=service.traffic)
    return app
