"""Tokens of an identity provider (OIDC): whose they are and which role they give."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import jwt

from gridcast.app.guard.signing_keys import SigningKeys
from gridcast.domain.roles import Role
from gridcast.settings.service import OidcSettings

_LONGEST_TOKEN: Final = 8 * 1024
_MOST_KEPT: Final = 10_000
_KEPT_S: Final = 60.0
_LONGEST_NAME: Final = 100


class TokenError(Exception):
    """The token does not show who its bearer is; the text may be told to the bearer."""


class Bearer(NamedTuple):
    """Who a token speaks of."""

    name: str
    subject: str
    role: Role | None
    """None: none of the provider's roles is one of ours."""


class _Kept(NamedTuple):
    bearer: Bearer
    until: float
    version: int


class Tokens:
    """Checks tokens. One that held is not checked again for a minute, unless it expires or the keys change."""

    def __init__(
        self, settings: OidcSettings, keys: SigningKeys | None = None, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._keys = keys or SigningKeys(url=settings.jwks_url, file=settings.jwks_file, algorithms=settings.algorithms)
        self._clock = clock
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()

    def known(self, token: str) -> Bearer | None:
        """Who the token speaks of, if it was checked within the last minute."""
        kept = self._kept.get(_digest(token))
        is_good = kept is not None and self._clock() < kept.until and kept.version == self._keys.version
        return kept.bearer if kept is not None and is_good else None

    async def check(self, token: str) -> Bearer:
        """Who the token speaks of, once signature, issuer, audience and times are found right.

        Raises:
            TokenError: it does not hold.
            GridcastError: the keys to check it with cannot be had.
        """
        if len(token) > _LONGEST_TOKEN:
            raise TokenError(f"the token is longer than {_LONGEST_TOKEN} characters.")
        key = await self._keys.find(self._key_id(token))
        if key is None:
            raise TokenError("the token is signed with a key that the identity provider does not name.")
        claims = self._claims(token, key)
        bearer = Bearer(_name(claims), str(claims["sub"])[:_LONGEST_NAME], self._role(claims))
        self._keep(token, bearer, until=min(float(claims["exp"]), self._clock() + _KEPT_S))
        return bearer

    def _key_id(self, token: str) -> str:
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError) as error:
            raise TokenError("the credential is neither a key made by gridcast nor a token.") from error
        algorithm, key_id = header.get("alg"), header.get("kid")
        if algorithm not in self._settings.algorithms:
            expected = ", ".join(self._settings.algorithms)
            raise TokenError(f"the token is signed with {str(algorithm)[:20]}; expected {expected}.")
        if not isinstance(key_id, str):
            raise TokenError("the token does not name the key it is signed with (kid).")
        return key_id

    def _claims(self, token: str, key: jwt.PyJWK) -> Mapping[str, Any]:
        try:
            claims: Mapping[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                audience=self._settings.audience,
                issuer=self._settings.issuer,
                leeway=self._settings.leeway,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise TokenError("the token has expired; get a new one.") from error
        except jwt.ImmatureSignatureError as error:
            raise TokenError("the token is not valid yet; compare the clocks.") from error
        except jwt.InvalidAudienceError as error:
            raise TokenError("the token is meant for somebody else (aud).") from error
        except jwt.InvalidIssuerError as error:
            raise TokenError("the token is of another issuer (iss).") from error
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise TokenError("the token does not hold.") from error
        return claims

    def _role(self, claims: Mapping[str, Any]) -> Role | None:
        """The highest role that the provider gives."""
        given = (self._settings.roles.get(each) for each in _values(claims, self._settings.role_claim))
        roles = [role for role in given if role is not None]
        return next((role for role in reversed(Role) if role in roles), None)

    def _keep(self, token: str, bearer: Bearer, *, until: float) -> None:
        self._kept[_digest(token)] = _Kept(bearer, until, self._keys.version)
        if len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)


def _values(claims: Mapping[str, Any], path: str) -> Iterator[str]:
    """The texts of a claim, which is a text or a list; a claim inside others is named with dots."""
    found: Any = claims.get(path)
    if found is None:
        found = claims
        for part in path.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    for each in found if isinstance(found, list) else [found]:
        if isinstance(each, str):
            yield each


def _name(claims: Mapping[str, Any]) -> str:
    name = claims.get("preferred_username")
    text = name if isinstance(name, str) and name.strip() else str(claims["sub"])
    return "".join(each if each.isprintable() else "?" for each in text)[:_LONGEST_NAME]


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
