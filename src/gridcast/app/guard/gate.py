"""Where every request is judged, before any of its body is read: which route, who calls, which role, how often."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gridcast.app.guard.access import PUBLIC, AccessRules, Rule
from gridcast.app.guard.authentication import Authentication, Principal
from gridcast.app.guard.rate_limit import TokenBuckets
from gridcast.app.guard.refusals import Forbidden, Refusal, TooMany, Unavailable, UnknownPath, WrongMethod, answer
from gridcast.app.guard.trail import Trail
from gridcast.store.errors import StoreError

SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
_NOT_RECORDED: Final = "the audit log cannot be written; look whether the change was made before asking again."


class Gate:
    """Lets a request through to its route, with `request.state.principal` telling who calls, or answers itself.

    A route that is not in the access table is refused to everybody.
    """

    def __init__(
        self, app: ASGIApp, *, rules: AccessRules, authentication: Authentication, limit: TokenBuckets, trail: Trail
    ) -> None:
        self._app = app
        self._rules = rules
        self._authentication = authentication
        self._limit = limit
        self._trail = trail

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Judge a request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        client = scope.get("client")
        address = client[0] if client else "unknown"
        principal: Principal | None = None
        try:
            rule = self._rule(scope)
            if rule.need != PUBLIC:
                principal = await self._authentication.identify(scope["headers"], address=address)
                if not principal.role.covers(rule.need):
                    raise Forbidden(f"the role is {principal.role}; expected {rule.need} or higher.")
            self._count(address if principal is None else principal.subject)
        except Refusal as refusal:
            await self._trail.refused(scope, refusal, principal, address=address)
            await answer(refusal, scope, send)
            return
        scope.setdefault("state", {})["principal"] = principal
        if scope["method"] in SAFE_METHODS or principal is None:
            await self._app(scope, receive, send)
        else:
            await self._recorded(scope, receive, send, rule, principal, address)

    async def _recorded(
        self, scope: Scope, receive: Receive, send: Send, rule: Rule, principal: Principal, address: str
    ) -> None:
        """Let a change through; what became of it is written down before the caller is told."""
        is_recorded, is_lost = False, False

        async def recording(message: Message) -> None:
            nonlocal is_recorded, is_lost
            if message["type"] == "http.response.start" and not is_recorded:
                is_recorded = True
                try:
                    await self._trail.answered(scope, rule, principal, status=message["status"], address=address)
                except StoreError:
                    is_lost = True
                    await answer(Unavailable(_NOT_RECORDED), scope, send)
            if not is_lost:
                await send(message)

        await self._app(scope, receive, recording)

    def _rule(self, scope: Scope) -> Rule:
        method, path = scope["method"], scope["path"]
        rule = self._rules.find(method, path)
        if rule is not None:
            return rule
        allowed = self._rules.methods(path)
        if allowed:
            raise WrongMethod(method, allowed=allowed)
        raise UnknownPath(f"there is nothing at {path[:200]}; expected one of the paths that GET /openapi.json lists.")

    def _count(self, caller: str) -> None:
        wait_s = self._limit.take(caller)
        if wait_s > 0:
            raise TooMany("more requests than service.limits.requests_per_minute allows", wait_s=wait_s)
