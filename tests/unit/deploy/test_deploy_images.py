"""A registry is asked whether it has an image, as itself or as whoever logged in."""

import base64
import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gridcast.deploy.images import Image, missing

LOGIN = base64.b64encode(b"me:right").decode()


@contextlib.contextmanager
def registry(*, wants: str | None = None) -> Iterator[str]:
    """One with the image grid/api:1, for everybody, or for who has a token or a password."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            given = self.headers.get("Authorization")
            if wants is not None and given != {"token": "Bearer good", "password": f"Basic {LOGIN}"}[wants]:
                realm = f"http://127.0.0.1:{server.server_address[1]}/token"
                bearer = f'Bearer realm="{realm}",service="here",scope="repository:grid/api:pull"'
                self._say(401, **{"WWW-Authenticate": bearer if wants == "token" else "Basic"})
            else:
                self._say(200 if self.path == "/v2/grid/api/manifests/1" else 404)

        def do_GET(self) -> None:
            assert self.path == "/token?service=here&scope=repository%3Agrid%2Fapi%3Apull"
            self._say(200)
            self.wfile.write(json.dumps({"token": "good"}).encode())

        def _say(self, code: int, **headers: str) -> None:
            self.send_response(code)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the base class
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(autouse=True)
def no_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))


def test_an_image_that_is_there_is_not_missing() -> None:
    with registry() as where:
        assert missing(f"{where}/grid/api:1") is None
        assert missing(f"{where}/grid/api:2") == f"{where} has no grid/api:2"


def test_a_registry_that_gives_tokens_to_everybody_is_asked_for_one() -> None:
    with registry(wants="token") as where:
        assert missing(f"{where}/grid/api:1") is None


def test_what_docker_login_kept_is_used(tmp_path: Path) -> None:
    with registry(wants="password") as where:
        assert missing(f"{where}/grid/api:1") == f"{where} says 401"
        (tmp_path / "config.json").write_text(json.dumps({"auths": {where: {"auth": LOGIN}}}))
        assert missing(f"{where}/grid/api:1") is None


def test_a_registry_that_is_away_is_said_to_be() -> None:
    assert "127.0.0.1:9 does not answer" in str(missing("127.0.0.1:9/grid/api:1"))


@pytest.mark.parametrize(
    ("text", "url"),
    [
        pytest.param("postgres", "https://registry-1.docker.io/v2/library/postgres/manifests/latest", id="short"),
        pytest.param("apache/x:2", "https://registry-1.docker.io/v2/apache/x/manifests/2", id="docker"),
        pytest.param("ghcr.io/a/b:v1", "https://ghcr.io/v2/a/b/manifests/v1", id="tag"),
        pytest.param("r.example:5000/a@sha256:ab", "https://r.example:5000/v2/a/manifests/sha256:ab", id="digest"),
        pytest.param("r.example/a:1@sha256:ab", "https://r.example/v2/a/manifests/sha256:ab", id="both"),
    ],
)
def test_the_name_of_an_image_says_where_it_is(text: str, url: str) -> None:
    assert Image.parse(text).url == url
