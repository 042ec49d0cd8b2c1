"""`service` of config/app_config.yaml: how `gridcast serve` listens and whom it lets in."""

import ipaddress
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, Field, field_validator, model_validator

from gridcast.domain.roles import Role
from gridcast.settings.strict import STRICT

Algorithm: TypeAlias = Literal["RS256", "ES256", "EdDSA"]
Text: TypeAlias = Annotated[str, Field(min_length=1)]


class TlsSettings(BaseModel):
    """The files that HTTPS needs, PEM."""

    model_config = STRICT

    cert: Path
    key: Path


class OidcSettings(BaseModel):
    """The identity provider whose tokens are taken, and which role its users have."""

    model_config = STRICT

    issuer: Text
    audience: Text
    jwks_url: Text | None = None
    jwks_file: Path | None = None
    role_claim: Text = "roles"
    roles: dict[str, Role]
    algorithms: tuple[Algorithm, ...] = ("RS256", "ES256", "EdDSA")
    leeway: timedelta = timedelta(seconds=30)

    @field_validator("jwks_url")
    @classmethod
    def _url_is_encrypted(cls, value: str | None) -> str | None:
        here = ("http://127.0.0.1:", "http://[::1]:", "http://localhost:")
        if value is not None and not value.startswith(("https://", *here)):
            raise ValueError(f"jwks_url is {value!r}; expected https:// (http:// only on this machine)")
        return value

    @field_validator("leeway")
    @classmethod
    def _leeway_is_short(cls, value: timedelta) -> timedelta:
        if not timedelta(0) <= value <= timedelta(minutes=5):
            raise ValueError("expected a duration from PT0S to PT5M")
        return value

    @model_validator(mode="after")
    def _one_place_of_keys(self) -> "OidcSettings":
        if (self.jwks_url is None) == (self.jwks_file is None):
            raise ValueError("expected either jwks_url or jwks_file, the public keys of the issuer")
        if not self.roles:
            raise ValueError("roles is empty; expected at least one value of the claim, such as {grid-admins: admin}")
        if not self.algorithms:
            raise ValueError("algorithms is empty; expected at least one of RS256, ES256, EdDSA")
        return self


class LimitSettings(BaseModel):
    """How much one caller may ask for."""

    model_config = STRICT

    requests_per_minute: int = Field(default=600, gt=0)
    failed_authentications_per_minute: int = Field(default=30, gt=0)
    body_bytes: int = Field(default=16 * 1024 * 1024, gt=0)
    upload_rows: int = Field(default=200_000, gt=0)


class ServiceSettings(BaseModel):
    """Where the service listens, how it encrypts, whom it believes. The defaults let nobody in from outside."""

    model_config = STRICT

    host: Text = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    tls: TlsSettings | None = None
    behind_tls_proxy: bool = False
    trusted_proxies: tuple[Text, ...] = ()
    trusted_hosts: tuple[Text, ...] = ()
    cors_origins: tuple[Text, ...] = ()
    oidc: OidcSettings | None = None
    limits: LimitSettings = LimitSettings()

    @property
    def is_encrypted(self) -> bool:
        """Whether callers reach the service by HTTPS."""
        return self.tls is not None or self.behind_tls_proxy

    @model_validator(mode="after")
    def _keys_do_not_travel_in_clear_text(self) -> "ServiceSettings":
        if not self.is_encrypted and not _is_loopback(self.host):
            raise ValueError(
                f"host is {self.host}, so keys and tokens would travel unencrypted; expected tls with cert and key, "
                "behind_tls_proxy: true where something in front ends TLS, or host 127.0.0.1"
            )
        return self

    @model_validator(mode="after")
    def _origins_are_named(self) -> "ServiceSettings":
        if "*" in self.cors_origins:
            raise ValueError("cors_origins holds *; expected the origins by name, such as https://scada.example")
        if "*" in self.trusted_proxies:
            raise ValueError("trusted_proxies holds *; expected addresses, such as 10.0.0.7")
        return self


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
