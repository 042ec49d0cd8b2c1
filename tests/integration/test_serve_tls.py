"""`gridcast serve` as a process of its own, spoken to over TLS."""

import asyncio
import contextlib
import json
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

LIMIT = 10_000
START_SECONDS = 60


@dataclass(frozen=True)
class Process:
    """A running service and the folder it works in."""

    folder: Path
    port: int

    @property
    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.folder / "cert.pem")

    def client(self, key: str | None = None) -> httpx.Client:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return httpx.Client(base_url=f"https://127.0.0.1:{self.port}", headers=headers, verify=self.context)

    def make_key(self, role: str) -> dict[str, Any]:
        """A key that the service knows already."""
        made = typed(self.folder, "key", "create", "--role", role, "--name", role)
        deadline = time.monotonic() + 5
        with self.client(made["key"]) as client:
            while client.get("/v1/me").status_code != 200:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        return made

    def send(self, request: bytes) -> bytes:
        """What comes back for bytes that no client library would send."""
        with (
            socket.create_connection(("127.0.0.1", self.port), timeout=10) as plain,
            self.context.wrap_socket(plain, server_hostname="127.0.0.1") as wire,
        ):
            wire.sendall(request)
            answer = b""
            with contextlib.suppress(ssl.SSLError, ConnectionError):
                while part := wire.recv(65536):
                    answer += part
            return answer


def typed(folder: Path, *words: str) -> dict[str, Any]:
    done = subprocess.run(
        [*command(*words), "--format", "json"], cwd=folder, capture_output=True, text=True, check=True
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def command(*words: str) -> list[str]:
    return [sys.executable, "-c", "from gridcast.cli import main; main()", *words]


def write_certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "gridcast test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(private)


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp("tls")
    write_certificate(folder)
    settings = {
        "service": {
            "tls": {"cert": str(folder / "cert.pem"), "key": str(folder / "key.pem")},
            "limits": {"body_bytes": LIMIT},
        }
    }
    (folder / "config").mkdir()
    (folder / "config" / "app_config.yaml").write_text(yaml.safe_dump(settings))
    typed(folder, "key", "create", "--role", "admin", "--name", "first")
    with subprocess.Popen(command("serve", "--port", "0"), cwd=folder, stderr=subprocess.PIPE, text=True) as service:
        try:
            assert service.stderr is not None
            said = service.stderr.readline()
            assert "https://127.0.0.1:" in said, said
            process = Process(folder, int(said.split("127.0.0.1:")[1].split("/")[0]))
            wait_until_it_answers(process)
            yield process
        finally:
            service.send_signal(signal.SIGTERM)
            assert service.wait(timeout=30) == 0


def wait_until_it_answers(process: Process) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(httpx.TransportError), process.client() as client:
            assert client.get("/v1/health").status_code == 200
            return
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_real_server_answers_with_all_headers_and_does_not_say_what_it_is(process: Process) -> None:
    with process.client() as client:
        for path, status in (("/v1/health", 200), ("/v1/me", 401), ("/", 200), ("/nothing", 404)):
            answer = client.get(path)
            assert answer.status_code == status
            assert answer.headers["strict-transport-security"].startswith("max-age=")
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "server" not in answer.headers


def test_a_key_revoked_by_the_command_line_is_refused_within_five_seconds(process: Process) -> None:
    made = process.make_key("viewer")
    with process.client(made["key"]) as client:
        assert client.get("/v1/me").status_code == 200
        typed(process.folder, "key", "revoke", made["key_id"])
        revoked_at = time.monotonic()
        while client.get("/v1/me").status_code == 200:
            assert time.monotonic() < revoked_at + 5
            time.sleep(0.05)
        assert client.get("/v1/me").status_code == 401


def test_old_protocols_and_weak_ciphers_are_not_spoken(process: Process) -> None:
    context = process.context
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection(("127.0.0.1", process.port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as wire,
    ):
        cipher = wire.cipher()
        assert cipher is not None
        assert "GCM" in cipher[0] or "CHACHA20" in cipher[0]
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", process.port), timeout=10) as plain, pytest.raises(ssl.SSLError):
        context.wrap_socket(plain, server_hostname="127.0.0.1")


def test_a_body_that_is_too_long_is_refused_on_the_wire(process: Process) -> None:
    key = process.make_key("engineer")["key"]

    async def push(content: Any) -> httpx.Response:
        async with httpx.AsyncClient(base_url=f"https://127.0.0.1:{process.port}", verify=process.context) as client:
            headers = {"Authorization": f"Bearer {key}", "Content-Type": "text/csv"}
            return await client.post("/v1/readings", headers=headers, content=content)

    async def parts() -> Any:
        for _ in range(20):
            yield b"x" * 1000

    assert asyncio.run(push(b"x" * (LIMIT + 1))).status_code == 413
    assert asyncio.run(push(parts())).status_code == 413


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"Content-Length: 5\r\nContent-Length: 6", id="two lengths"),
        pytest.param(b"Content-Length: 5\r\nTransfer-Encoding: chunked", id="a length and chunks"),
        pytest.param(b"Content-Length: -1", id="a negative length"),
        pytest.param(b"Transfer-Encoding: chunked\r\nX: \0", id="a zero byte"),
    ],
)
def test_requests_that_two_servers_could_read_differently_are_not_let_in(head: bytes, process: Process) -> None:
    request = b"POST /v1/keys HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n" + head + b"\r\n\r\n0\r\n\r\n"
    answer = process.send(request)
    assert answer.split(b" ", 2)[1:2] in ([b"400"], [b"401"], []), answer[:200]


def test_what_was_refused_is_in_a_log_that_holds_together(process: Process) -> None:
    with process.client("gck_forged") as client:
        assert client.get("/v1/audit").status_code in {401, 429}
    rows = typed(process.folder, "audit", "list")["rows"]
    assert any(row["action"] == "refused GET" and row["actor"] == "nobody" for row in rows)
    assert typed(process.folder, "audit", "verify")["rows"] >= len(rows)
