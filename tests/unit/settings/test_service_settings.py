"""`service`: safe as it comes, and loud about what would not be."""

from typing import Any

import pytest
from pydantic import ValidationError

from gridcast.domain.roles import Role
from gridcast.settings.service import OidcSettings, ServiceSettings

OIDC: dict[str, Any] = {
    "issuer": "https://login.example",
    "audience": "gridcast",
    "jwks_url": "https://login.example/jwks",
    "roles": {"grid-admins": "admin"},
}


def test_as_it_comes_nobody_outside_this_machine_is_let_in_or_believed() -> None:
    settings = ServiceSettings()
    assert settings.host == "127.0.0.1"
    assert settings.oidc is None
    assert settings.trusted_proxies == settings.trusted_hosts == settings.cors_origins == ()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "::1", "localhost"])
def test_this_machine_may_be_spoken_to_without_encryption(host: str) -> None:
    assert not ServiceSettings(host=host).is_encrypted


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "gridcast.example"])  # noqa: S104
def test_other_machines_may_not(host: str) -> None:
    with pytest.raises(ValidationError, match="would travel unencrypted"):
        ServiceSettings(host=host)
    assert ServiceSettings(host=host, behind_tls_proxy=True).is_encrypted
    assert ServiceSettings.model_validate({"host": host, "tls": {"cert": "c.pem", "key": "k.pem"}}).is_encrypted


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"cors_origins": ["*"]}, "origins by name", id="any origin"),
        pytest.param({"trusted_proxies": ["*"]}, "expected addresses", id="any proxy"),
        pytest.param({"tls": {"cert": "c.pem"}}, "key", id="half of TLS"),
        pytest.param({"limits": {"requests_per_minute": 0}}, "greater than 0", id="nothing allowed"),
        pytest.param({"password": "x"}, "Extra inputs", id="unknown key"),
    ],
)
def test_settings_that_open_too_much_or_make_no_sense_are_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        ServiceSettings.model_validate(changes)


def test_an_identity_provider_maps_its_roles_to_ours() -> None:
    assert OidcSettings.model_validate(OIDC).roles == {"grid-admins": Role.ADMIN}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"jwks_url": None}, "either jwks_url or jwks_file", id="no keys"),
        pytest.param({"jwks_file": "keys.json"}, "either jwks_url or jwks_file", id="keys twice"),
        pytest.param({"jwks_url": "http://login.example/jwks"}, "expected https", id="keys in clear text"),
        pytest.param(
            {"jwks_url": "http://localhost.evil.example/jwks"}, "expected https", id="looks like this machine"
        ),
        pytest.param({"jwks_url": "file:///etc/passwd"}, "expected https", id="a file as URL"),
        pytest.param({"algorithms": ["HS256"]}, "RS256", id="shared secrets"),
        pytest.param({"algorithms": ["none"]}, "RS256", id="no signature"),
        pytest.param({"algorithms": []}, "at least one", id="no algorithm"),
        pytest.param({"roles": {}}, "at least one value", id="no roles"),
        pytest.param({"roles": {"a": "root"}}, "viewer", id="a role that is none of ours"),
        pytest.param({"leeway": "PT1H"}, "PT5M", id="clocks an hour apart"),
        pytest.param({"issuer": ""}, "at least 1", id="no issuer"),
        pytest.param({"audience": ""}, "at least 1", id="no audience"),
    ],
)
def test_a_provider_that_could_not_be_trusted_is_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        OidcSettings.model_validate(OIDC | changes)


def test_keys_may_come_by_http_from_this_machine() -> None:
    assert OidcSettings.model_validate(OIDC | {"jwks_url": "http://127.0.0.1:8081/jwks"}).jwks_url
