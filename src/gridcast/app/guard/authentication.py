"""Who calls: an API key or a token, as a name and a role."""

from dataclasses import dataclass
from datetime import UTC, datetime

from gridcast.app.guard.key_ring import KeyRing
from gridcast.app.guard.rate_limit import TokenBuckets
from gridcast.app.guard.refusals import Forbidden, TooMany, Unauthenticated, Unavailable
from gridcast.app.guard.tokens import Bearer, TokenError, Tokens
from gridcast.domain.errors import GridcastError, UsageError
from gridcast.domain.roles import Role
from gridcast.settings.service import ServiceSettings
from gridcast.store import keys
from gridcast.store.store import Store

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls."""

    name: str
    role: Role
    subject: str
    """Tells callers of the same name apart: `key:` and the id of the key, or `token:` and the provider's id."""


class Authentication:
    """Finds out who calls, from memory. A credential that holds is never refused for what others sent."""

    def __init__(self, store: Store, settings: ServiceSettings, *, tokens: Tokens | None = None) -> None:
        self.keys = KeyRing(store)
        self._tokens = tokens if tokens is not None or settings.oidc is None else Tokens(settings.oidc)
        self._failures = TokenBuckets(per_minute=settings.limits.failed_authentications_per_minute)

    @classmethod
    def create(cls, store: Store, settings: ServiceSettings) -> "Authentication":
        """The same, where somebody could be let in at all.

        Raises:
            UsageError: there is neither a key nor an identity provider.
        """
        if settings.oidc is None and not keys.active_keys(store, at=datetime.now(UTC)):
            raise UsageError(
                "the service would let nobody in: there is no API key and no identity provider; expected one of them. "
                'Run "gridcast key create --role admin --name NAME", or set service.oidc in config/app_config.yaml.'
            )
        return cls(store, settings)

    async def identify(self, headers: Headers, *, address: str) -> Principal:
        """Who sent these headers.

        Raises:
            Unauthenticated: nobody we know.
            Forbidden: a user of the identity provider without a role here.
            TooMany: too many failures from this address.
            Unavailable: the keys cannot be read.
        """
        credential = _credential(headers)
        try:
            if credential.startswith(keys.PREFIX):
                return await self._by_key(credential, address)
            return await self._by_token(credential, address)
        except GridcastError as error:
            raise Unavailable("who calls cannot be found out now; try again later.") from error

    async def _by_key(self, key: str, address: str) -> Principal:
        kept = await self.keys.find(key)
        if kept is None:
            raise self._failed("the API key is unknown, expired or revoked; expected one that is not.", address)
        return Principal(kept.name, kept.role, f"key:{kept.key_id}")

    async def _by_token(self, token: str, address: str) -> Principal:
        if self._tokens is None:
            raise self._failed(f"the credential is no API key; expected one that begins with {keys.PREFIX}.", address)
        bearer = self._tokens.known(token)
        if bearer is None:
            self._refuse_guessing(address)
            try:
                bearer = await self._tokens.check(token)
            except TokenError as error:
                raise self._failed(str(error), address) from error
        return _principal(bearer)

    def _failed(self, detail: str, address: str) -> Unauthenticated:
        self._refuse_guessing(address)
        self._failures.take(address)
        return Unauthenticated(detail, is_given=True)

    def _refuse_guessing(self, address: str) -> None:
        wait_s = self._failures.wait(address)
        if wait_s > 0:
            raise TooMany("too many credentials from this address did not hold", wait_s=wait_s)


def _principal(bearer: Bearer) -> Principal:
    if bearer.role is None:
        raise Forbidden(f"{bearer.name} has no role here; expected one of service.oidc.roles in the token.")
    return Principal(bearer.name, bearer.role, f"token:{bearer.subject}")


def _credential(headers: Headers) -> str:
    """The one credential of a request.

    Raises:
        Unauthenticated: there is none, or more than one.
    """
    found = []
    for name, value in headers:
        if name == b"authorization":
            scheme, _, rest = value.partition(b" ")
            if scheme.lower() != b"bearer":
                raise Unauthenticated("the scheme of Authorization is not Bearer; expected it.", is_given=True)
            found.append(rest.strip())
        elif name == b"x-api-key":
            found.append(value.strip())
    if not found or not found[0]:
        raise Unauthenticated("no credential; expected Authorization: Bearer with an API key or token.", is_given=False)
    if len(found) > 1:
        raise Unauthenticated("more than one credential; expected one.", is_given=True)
    return found[0].decode("latin-1")
