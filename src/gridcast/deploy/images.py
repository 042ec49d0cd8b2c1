"""Whether a registry has an image: the HTTP API that all of them speak."""

import base64
import json
import os
import re
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final

import httpx

_TYPES: Final = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
_SECONDS: Final = 20.0
_HERE: Final = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True, slots=True)
class Image:
    """Where an image is.

    Attributes:
        registry: host and port.
        repository: name in it.
        reference: tag, or digest where there is one.
    """

    registry: str
    repository: str
    reference: str

    @classmethod
    def parse(cls, text: str) -> "Image":
        """The image that a manifest names.

        >>> Image.parse("registry.example.org/grid/api:1.2")
        Image(registry='registry.example.org', repository='grid/api', reference='1.2')
        >>> Image.parse("postgres:17")
        Image(registry='registry-1.docker.io', repository='library/postgres', reference='17')
        """
        name, _, digest = text.partition("@")
        first, slash, rest = name.partition("/")
        is_host = slash and ("." in first or ":" in first or first == "localhost")
        registry, path = (first, rest) if is_host else ("docker.io", name)
        repository, _, tag = path.rpartition(":") if ":" in path else (path, "", "latest")
        if registry == "docker.io":
            registry = "registry-1.docker.io"
            repository = repository if "/" in repository else f"library/{repository}"
        return cls(registry, repository, digest or tag)

    @property
    def url(self) -> str:
        """Where its manifest is; unencrypted on this machine alone."""
        scheme = "http" if self.registry.partition(":")[0] in _HERE else "https"
        return f"{scheme}://{self.registry}/v2/{self.repository}/manifests/{self.reference}"


def missing(text: str) -> str | None:
    """Why an image cannot be had, None if it can."""
    image = Image.parse(text)
    try:
        with httpx.Client(timeout=_SECONDS, headers={"Accept": _TYPES}) as client:
            answer = client.head(image.url)
            if answer.status_code == HTTPStatus.UNAUTHORIZED:
                answer = client.head(image.url, headers=_credentials(client, answer, image))
    except (httpx.HTTPError, ValueError, KeyError) as error:
        return f"{image.registry} does not answer ({error})"
    if answer.status_code == HTTPStatus.NOT_FOUND:
        return f"{image.registry} has no {image.repository}:{image.reference}"
    return None if answer.is_success else f"{image.registry} says {answer.status_code}"


def _credentials(client: httpx.Client, refusal: httpx.Response, image: Image) -> dict[str, str]:
    """What a registry that wants to know who asks is told: what docker login kept, or a token it gives to everybody."""
    login = _login(image.registry)
    basic = {} if login is None else {"Authorization": f"Basic {login}"}
    challenge = refusal.headers.get("WWW-Authenticate", "")
    if not challenge.startswith("Bearer "):
        return basic
    asked = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    realm = asked.pop("realm")
    answer = client.get(realm, params=asked, headers=basic).raise_for_status().json()
    return {"Authorization": f"Bearer {answer.get('token') or answer['access_token']}"}


def _login(registry: str) -> str | None:
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    try:
        kept = json.loads((folder / "config.json").read_text(encoding="utf-8"))["auths"][registry]["auth"]
        base64.b64decode(kept, validate=True)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return str(kept)
