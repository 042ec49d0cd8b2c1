"""Tokens of an identity provider: which ones are believed, and which are not."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from support.guarded import guarded
from support.identity import AUDIENCE, ISSUER, Provider, claims, key_set, signer
from support.web import Answer, serve, url_of_nobody

from gridcast.app.guard.signing_keys import PAUSE_S, REFRESH_S, RETRY_S, SigningKeys
from gridcast.app.guard.tokens import TokenError, Tokens
from gridcast.domain.errors import GridcastError
from gridcast.domain.roles import Role
from gridcast.settings.service import OidcSettings

GOOD = signer()
OTHER = signer("RS256", "other")
PUBLIC = GOOD.public_pem
NOW = int(time.time())


def tokens(folder: Path, *signers: Any, **changes: Any) -> Tokens:
    return Tokens(Provider(folder, signers or (GOOD,)).settings(**changes))


def encoded(value: object) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def by_hand(header: dict[str, Any], secret: bytes | None = None) -> str:
    """A token that no library would make: any header, an HMAC of the secret or no signature at all."""
    signed = f"{encoded(header)}.{encoded(claims(roles=['grid-admins']))}"
    mac = b"" if secret is None else hmac.new(secret, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{encoded(mac)}"


def spoiled(token: str) -> str:
    """The same signature under other claims."""
    header, _, signature = token.split(".")
    return f"{header}.{encoded(claims(roles=['grid-admins']))}.{signature}"


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_token_of_the_provider_tells_name_and_role(algorithm: str, tmp_path: Path) -> None:
    key = signer(algorithm)
    bearer = asyncio.run(tokens(tmp_path, key).check(key.sign(claims())))
    assert bearer == ("ada", "u-17", Role.OPERATOR)


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        pytest.param(by_hand({"alg": "none", "kid": "first"}), "signed with none", id="no signature"),
        pytest.param(by_hand({"alg": "None", "kid": "first"}), "signed with None", id="none, spelled otherwise"),
        pytest.param(by_hand({"alg": "HS256", "kid": "first"}, PUBLIC), "signed with HS256", id="public key as secret"),
        pytest.param(by_hand({"alg": "RS256", "kid": "first"}, PUBLIC), "does not hold", id="HMAC called RS256"),
        pytest.param(by_hand({"alg": ["RS256"], "kid": "first"}), "signed with", id="algorithm is a list"),
        pytest.param(OTHER.sign(claims(), kid="first"), "does not hold", id="signed by another, with this key's name"),
        pytest.param(OTHER.sign(claims()), "does not name", id="signed by another"),
        pytest.param(signer("ES256").sign(claims(), kid="first"), "does not hold", id="another kind of key"),
        pytest.param(OTHER.sign(claims(), jwk=OTHER.jwk, jku="https://evil.example"), "does not name", id="own key"),
        pytest.param(GOOD.sign(claims(), crit=["exp"], exp=1), "neither a key|does not hold", id="unknown demand"),
        pytest.param(spoiled(GOOD.sign(claims())), "does not hold", id="claims changed"),
        pytest.param(GOOD.sign(claims())[:-8], "neither a key|does not hold", id="cut off"),
        pytest.param(GOOD.sign(claims(exp=NOW - 60, iat=NOW - 600, nbf=NOW - 600)), "has expired", id="expired"),
        pytest.param(GOOD.sign(claims(nbf=NOW + 43_200)), "not valid yet", id="not valid yet"),
        pytest.param(GOOD.sign(claims(aud="another-service")), r"\(aud\)", id="for another service"),
        pytest.param(GOOD.sign(claims(aud=None)), "does not hold", id="for nobody"),
        pytest.param(GOOD.sign(claims(iss="https://evil.example")), r"\(iss\)", id="of another issuer"),
        pytest.param(GOOD.sign(claims(iss=None)), "does not hold", id="of nobody"),
        pytest.param(GOOD.sign(claims(exp=None)), "does not hold", id="for ever"),
        pytest.param(GOOD.sign(claims(sub=None)), "does not hold", id="about nobody"),
        pytest.param(jwt.encode(claims(), GOOD.private, "RS256"), r"\(kid\)", id="names no key"),
        pytest.param("x" * 9000, "longer than", id="very long"),
        pytest.param("a.b.c", "neither a key", id="no token"),
        pytest.param("..", "neither a key", id="dots"),
        pytest.param("\xff\xfe.\xff.\xff", "neither a key", id="no text"),
    ],
)  # fmt: skip
def test_a_token_that_does_not_hold_is_refused_with_the_reason(token: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(TokenError, match=reason):
        asyncio.run(tokens(tmp_path).check(token))


def test_clocks_may_differ_by_the_leeway(tmp_path: Path) -> None:
    late = GOOD.sign(claims(exp=int(time.time()) - 10))
    assert asyncio.run(tokens(tmp_path, leeway=timedelta(seconds=30)).check(late)).name == "ada"
    with pytest.raises(TokenError, match="expired"):
        asyncio.run(tokens(tmp_path, leeway=timedelta(0)).check(late))


def test_an_algorithm_that_the_settings_leave_out_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TokenError, match="signed with RS256; expected ES256"):
        asyncio.run(tokens(tmp_path, GOOD, algorithms=["ES256"]).check(GOOD.sign(claims())))


@pytest.mark.parametrize(
    ("given", "claim", "expected"),
    [
        pytest.param({"roles": ["grid-viewers", "grid-admins"]}, "roles", Role.ADMIN, id="the highest"),
        pytest.param({"roles": "grid-viewers"}, "roles", Role.VIEWER, id="a text"),
        pytest.param({"roles": ["admin", "root"]}, "roles", None, id="none of ours"),
        pytest.param({"roles": None}, "roles", None, id="no claim"),
        pytest.param({"roles": [7, {"a": 1}, None]}, "roles", None, id="no texts"),
        pytest.param({"realm_access": {"roles": ["grid-admins"]}}, "realm_access.roles", Role.ADMIN, id="deeper"),
        pytest.param({"https://x.example/r": ["grid-admins"]}, "https://x.example/r", Role.ADMIN, id="dots"),
        pytest.param({"realm_access": "x"}, "realm_access.roles", None, id="inside what holds nothing"),
    ],
)  # fmt: skip
def test_the_role_comes_from_the_claim(
    given: dict[str, Any], claim: str, expected: Role | None, tmp_path: Path
) -> None:
    found = asyncio.run(tokens(tmp_path, role_claim=claim).check(GOOD.sign(claims(**given))))
    assert found.role is expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({}, "ada", id="preferred_username"),
        pytest.param({"preferred_username": None}, "u-17", id="sub"),
        pytest.param({"preferred_username": ["a"]}, "u-17", id="no text"),
        pytest.param({"preferred_username": "ada\n2026 root"}, "ada?2026 root", id="two lines"),
        pytest.param({"preferred_username": "a" * 500}, "a" * 100, id="long"),
    ],
)
def test_the_name_is_one_short_line(given: dict[str, Any], expected: str, tmp_path: Path) -> None:
    assert asyncio.run(tokens(tmp_path).check(GOOD.sign(claims(**given)))).name == expected


def test_a_token_that_held_is_known_until_it_expires_or_a_minute_has_passed(tmp_path: Path) -> None:
    now = time.time()
    checker = Tokens(Provider(tmp_path).settings(), clock=lambda: now)
    long, short = GOOD.sign(claims()), GOOD.sign(claims(exp=int(now) + 20))
    bearer = asyncio.run(checker.check(long))
    asyncio.run(checker.check(short))
    assert checker.known(long) == bearer
    assert checker.known(spoiled(long)) is None
    now += 30
    assert checker.known(long) == bearer
    assert checker.known(short) is None
    now += 31
    assert checker.known(long) is None


def test_a_user_of_the_provider_gets_in_and_one_without_a_role_is_told_so(tmp_path: Path) -> None:
    oidc = Provider(tmp_path).settings().model_dump()
    with guarded(tmp_path, oidc=oidc) as service:
        assert service.ask("/v1/me", key=GOOD.sign(claims())).json() == {
            "name": "ada", "role": "operator", "subject": "token:u-17",
        }  # fmt: skip
        stranger = service.ask("/v1/me", key=GOOD.sign(claims(roles=[])))
        assert stranger.status_code == 403
        assert "ada has no role here" in stranger.json()["detail"]
        expired = service.ask("/v1/me", key=GOOD.sign(claims(exp=NOW - 100)))
        assert expired.status_code == 401
        assert 'error="invalid_token"' in expired.headers["WWW-Authenticate"]


def keys_at(url: str, clock: list[float]) -> SigningKeys:
    return SigningKeys(url=url, file=None, algorithms=("RS256", "ES256", "EdDSA"), clock=lambda: clock[0])


def test_a_new_key_of_the_provider_is_fetched_when_a_token_names_it_and_at_most_once_a_minute() -> None:
    published = [key_set(GOOD)]
    clock = [1000.0]
    with serve(lambda _: Answer(published[0])) as web:
        keys = keys_at(f"{web.url}/jwks", clock)

        async def rotate() -> None:
            assert await keys.find("first") is not None
            for number in range(50):
                assert await keys.find(f"made up {number}") is None
            assert len(web.asked) == 1
            published[0] = key_set(OTHER)
            assert await keys.find("other") is None
            clock[0] += PAUSE_S + 1
            assert await keys.find("other") is not None
            assert await keys.find("first") is None
            assert len(web.asked) == 2

        asyncio.run(rotate())


def test_a_key_that_the_provider_withdrew_is_forgotten_with_the_tokens_it_signed() -> None:
    published = [key_set(GOOD, OTHER)]
    clock = [1000.0]
    with serve(lambda _: Answer(published[0])) as web:
        keys = keys_at(f"{web.url}/jwks", clock)
        settings = OidcSettings(
            issuer=ISSUER, audience=AUDIENCE, jwks_url=f"{web.url}/jwks", roles={"grid-viewers": Role.VIEWER}
        )
        checker = Tokens(settings, keys)
        token = GOOD.sign(claims())

        async def withdraw() -> None:
            await checker.check(token)
            assert checker.known(token) is not None
            published[0] = key_set(OTHER)
            clock[0] += REFRESH_S + 1
            assert await keys.find("other") is not None
            assert checker.known(token) is None
            with pytest.raises(TokenError, match="does not name"):
                await checker.check(token)

        asyncio.run(withdraw())


def test_the_last_keys_serve_for_an_hour_when_the_provider_does_not_answer() -> None:
    answers = [Answer(key_set(GOOD))]
    clock = [1000.0]
    with serve(lambda _: answers[0]) as web:
        keys = keys_at(f"{web.url}/jwks", clock)

        async def outage() -> None:
            assert await keys.find("first") is not None
            for broken in (Answer(status=500), Answer(b"<html>"), Answer(b"[]"), Answer(b"x" * 2_000_000)):
                answers[0] = broken
                clock[0] += REFRESH_S + 1
                assert await keys.find("first") is not None
            clock[0] += 3601
            with pytest.raises(GridcastError, match="cannot be read"):
                await keys.find("first")

        asyncio.run(outage())


def test_a_provider_that_failed_is_asked_again_after_some_seconds() -> None:
    answers = [Answer(status=500)]
    clock = [1000.0]
    with serve(lambda _: answers[0]) as web:
        keys = keys_at(f"{web.url}/jwks", clock)

        async def recover() -> None:
            for _ in range(20):
                with pytest.raises(GridcastError):
                    await keys.find("first")
            assert len(web.asked) == 1
            answers[0] = Answer(key_set(GOOD))
            clock[0] += RETRY_S + 0.1
            assert await keys.find("first") is not None

        asyncio.run(recover())


def test_while_the_provider_cannot_be_reached_at_all_callers_are_told_to_come_back(tmp_path: Path) -> None:
    oidc = {"issuer": "https://x", "audience": "a", "jwks_url": f"{url_of_nobody()}/jwks", "roles": {"a": "viewer"}}
    with guarded(tmp_path, oidc=oidc) as service:
        answer = service.ask("/v1/me", key=GOOD.sign(claims()))
        assert answer.status_code == 503
        assert service.ask("/v1/me", key=service.key()).status_code == 200


def test_keys_that_are_secret_weak_or_not_for_signing_are_left_out(tmp_path: Path) -> None:
    weak = signer("RS256", "weak", bits=1024)
    published = [
        {"kty": "oct", "k": encoded(b"secret"), "kid": "secret", "alg": "HS256"},
        {**GOOD.jwk, "kid": "for encryption", "use": "enc"},
        {"kty": "RSA", "kid": "broken", "n": "?"},
        weak.jwk,
        {name: value for name, value in OTHER.jwk.items() if name != "kid"},
        "no key",
        GOOD.jwk,
    ]
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": published}))
    keys = SigningKeys(url=None, file=file, algorithms=("RS256", "ES256", "EdDSA"))

    async def found() -> list[str]:
        return [name for name in ("secret", "for encryption", "broken", "weak", "first") if await keys.find(name)]

    assert asyncio.run(found()) == ["first"]
