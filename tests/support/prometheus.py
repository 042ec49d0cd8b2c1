"""A real Prometheus and Alertmanager on this machine, and a pager that hears them."""

import contextlib
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml
from support.services import free_ports, require_programs

_START_SECONDS = 60


@dataclass
class Pager:
    """What was told of alerts: name, status and labels, in order."""

    port: int = 0
    heard: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def wait(self, name: str, status: str, *, within: float, **labels: str) -> float:
        """Seconds until an alert was told of as firing or resolved."""
        began = time.monotonic()
        while time.monotonic() - began < within:
            if any(
                (name, status) == (told, state) and labels.items() <= its.items() for told, state, its in self.heard
            ):
                return time.monotonic() - began
            time.sleep(0.05)
        raise AssertionError(f"{name} {labels} was not {status} within {within} s; heard {self.heard}")

    def has_heard(self, name: str) -> bool:
        return any(name == told for told, _, _ in self.heard)


@contextlib.contextmanager
def pager() -> Iterator[Pager]:
    """A web hook on a port of its own."""
    found = Pager()

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found.heard += [
                (each["labels"]["alertname"], each["status"], each["labels"]) for each in document["alerts"]
            ]
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the base class
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    found.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def watching(folder: Path, *, target: str, key: str, rules: str, hook: int) -> Iterator[str]:
    """Prometheus scrapes `target` every second; Alertmanager tells the web hook.

    Ends with both killed. Where they are not installed: a reason to skip. Yields the address of Prometheus.
    """
    programs = require_programs("prometheus", "prometheus-alertmanager")
    ports = free_ports(2)
    (folder / "key").write_text(key)
    (folder / "rules.yml").write_text(rules)
    settings = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{ports[1]}"]}]}]},
        "scrape_configs": [
            {
                "job_name": "gridcast",
                "authorization": {"credentials_file": str(folder / "key")},
                "static_configs": [{"targets": [target]}],
            }
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(settings))
    told = {"url": f"http://127.0.0.1:{hook}/", "send_resolved": True}
    routes = {
        "route": {
            "receiver": "hook", "group_by": ["..."], "group_wait": "0s", "group_interval": "1s",
            "repeat_interval": "1h",
        },
        "receivers": [{"name": "hook", "webhook_configs": [told]}],
    }  # fmt: skip
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(routes))
    commands = (
        [programs[0], f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb",
         f"--web.listen-address=127.0.0.1:{ports[0]}", "--rules.alert.resend-delay=1s"],
        [programs[1], f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/alertmanager",
         f"--web.listen-address=127.0.0.1:{ports[1]}", "--cluster.listen-address="],
    )  # fmt: skip
    with contextlib.ExitStack() as stack:
        log = stack.enter_context((folder / "log").open("wb"))
        for command in commands:
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder)
            stack.callback(process.wait, 30)
            stack.callback(process.kill)
        yield f"http://127.0.0.1:{ports[0]}"


def eventually(what: Callable[[], bool], *, within: float = _START_SECONDS) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + within
    while not what():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.1)
