"""A real MQTT broker on this machine: mosquitto, which keeps its sessions on disk."""

import contextlib
import getpass
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from support.services import free_ports, require_programs

USER = "gridcast"
PASSWORD = "right"  # noqa: S105 - of a broker that lives for one test
_START_SECONDS = 30
_CONFIG = """
per_listener_settings true
listener {port} 127.0.0.1
allow_anonymous true
listener {locked_port} 127.0.0.1
allow_anonymous false
password_file {folder}/passwords
persistence true
persistence_location {folder}/
autosave_on_changes true
autosave_interval 1
max_inflight_messages 1000
max_queued_messages 0
user {user}
"""


@dataclass
class Mosquitto:
    """A broker with its own data folder and ports, which it keeps when it is started again."""

    folder: Path
    program: str
    port: int
    locked_port: int
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        """Run until it takes connections."""
        with (self.folder / "mosquitto.log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.program, "-c", str(self.folder / "mosquitto.conf"), "-v"], stdout=log, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                assert self.process.poll() is None, self.log()
                assert time.monotonic() < deadline, self.log()
            else:
                return

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(timeout=30)

    def log(self) -> str:
        return (self.folder / "mosquitto.log").read_text(errors="replace")[-3000:]


@contextlib.contextmanager
def running_mosquitto(folder: Path) -> Iterator[Mosquitto]:
    """A broker without sessions, killed afterwards. Where mosquitto is not installed: a reason to skip."""
    program, passwords = require_programs("mosquitto", "mosquitto_passwd")
    port, locked_port = free_ports(2)
    subprocess.run([passwords, "-b", "-c", str(folder / "passwords"), USER, PASSWORD], check=True, timeout=30)
    text = _CONFIG.format(port=port, locked_port=locked_port, folder=folder, user=getpass.getuser())
    (folder / "mosquitto.conf").write_text(text)
    broker = Mosquitto(folder, program, port, locked_port)
    try:
        broker.start()
        yield broker
    finally:
        broker.kill()
