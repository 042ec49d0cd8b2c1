"""An identity provider that signs tokens with keys of its own."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from gridcast.settings.service import OidcSettings

ISSUER = "https://login.example/realms/grid"
AUDIENCE = "gridcast"


@dataclass(frozen=True)
class Signer:
    """One private key with its id."""

    algorithm: str
    private: Any
    key_id: str

    def sign(self, claims: Mapping[str, Any], **header: Any) -> str:
        return jwt.encode(dict(claims), self.private, self.algorithm, headers={"kid": self.key_id, **header})

    @property
    def jwk(self) -> dict[str, Any]:
        """What the provider publishes of it."""
        forms = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}
        public: dict[str, Any] = forms[self.algorithm].to_jwk(self.private.public_key(), as_dict=True)
        return {**public, "kid": self.key_id, "use": "sig"}

    @property
    def public_pem(self) -> bytes:
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        pem: bytes = self.private.public_key().public_bytes(serialization.Encoding.PEM, form)
        return pem


@cache
def signer(algorithm: str = "RS256", key_id: str = "first", *, bits: int = 2048) -> Signer:
    makers = {
        "RS256": lambda: rsa.generate_private_key(65537, bits),
        "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate,
    }
    return Signer(algorithm, makers[algorithm](), key_id)


def key_set(*signers: Signer) -> bytes:
    return json.dumps({"keys": [each.jwk for each in signers]}).encode()


def claims(**changes: Any) -> dict[str, Any]:
    """Of an operator called Ada; a change to None takes a claim away."""
    now = int(time.time())
    all_claims = {
        "iss": ISSUER, "aud": AUDIENCE, "sub": "u-17", "preferred_username": "ada",
        "iat": now, "nbf": now, "exp": now + 86_400, "roles": ["grid-operators"], **changes,
    }  # fmt: skip
    return {name: value for name, value in all_claims.items() if value is not None}


@dataclass(frozen=True)
class Provider:
    """Settings that trust the keys in a file."""

    folder: Path
    signers: tuple[Signer, ...] = field(default_factory=lambda: (signer(),))

    def settings(self, **changes: Any) -> OidcSettings:
        file = self.folder / "keys.json"
        file.write_bytes(key_set(*self.signers))
        known: dict[str, Any] = {
            "issuer": ISSUER,
            "audience": AUDIENCE,
            "jwks_file": file,
            "roles": {"grid-admins": "admin", "grid-operators": "operator", "grid-viewers": "viewer"},
        }
        return OidcSettings.model_validate(known | changes)
