"""A real Flink cluster on this machine, each part in a process of its own, and what Beam needs to work on it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.jars import jars_of
from support.services import free_ports, require_programs

_POM = Path(__file__).with_name("flink") / "pom.xml"
_START_SECONDS = 90
_JOB_MANAGER = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
_TASK_MANAGER = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
_WORKER_POOL = "apache_beam.runners.worker.worker_pool_main"
_JOB_SERVER = "org.apache.beam.runners.flink.FlinkJobServerDriver"
_OPENED = (
    "java.base/java.lang java.base/java.util java.base/java.nio java.base/java.time java.base/java.util.concurrent"
)
_TIMED = "-Dorg.slf4j.simpleLogger.showDateTime=true"
_CONFIG = """
jobmanager.rpc.address: 127.0.0.1
jobmanager.bind-host: 127.0.0.1
jobmanager.rpc.port: {rpc}
jobmanager.memory.enable-jvm-direct-memory-limit: false
rest.address: 127.0.0.1
rest.bind-address: 127.0.0.1
rest.port: {rest}
blob.server.port: 0
taskmanager.host: 127.0.0.1
taskmanager.bind-host: 127.0.0.1
taskmanager.numberOfTaskSlots: {slots}
taskmanager.cpu.cores: 2
taskmanager.memory.task.heap.size: 384m
taskmanager.memory.task.off-heap.size: 0m
taskmanager.memory.framework.heap.size: 64m
taskmanager.memory.framework.off-heap.size: 64m
taskmanager.memory.network.min: 64m
taskmanager.memory.network.max: 64m
taskmanager.memory.managed.size: 64m
taskmanager.memory.jvm-metaspace.size: 256m
taskmanager.memory.jvm-overhead.min: 64m
taskmanager.memory.jvm-overhead.max: 64m
heartbeat.interval: 500
heartbeat.timeout: 4000
restart-strategy.type: fixed-delay
restart-strategy.fixed-delay.attempts: 200
restart-strategy.fixed-delay.delay: 200 ms
state.checkpoints.dir: file://{folder}/checkpoints
state.savepoints.dir: file://{folder}/savepoints
io.tmp.dirs: {folder}/tmp
"""


@dataclass
class Cluster:
    """A job manager, some task managers, a pool of Python workers; each can be killed and started again."""

    folder: Path
    java: str
    jars: Path
    rest_port: int
    pool_port: int
    environment: Mapping[str, str]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def master(self) -> str:
        return f"127.0.0.1:{self.rest_port}"

    @property
    def options(self) -> list[str]:
        """Of Beam, to work here; the pool starts a process for each task manager."""
        jar = str(self.folder / "job_server.jar")
        return [
            *("--runner", "FlinkRunner", "--flink_master", self.master, "--flink_version", "1.19"),
            *("--flink_job_server_jar", jar, "--files_to_stage", jar),
            *("--environment_type", "EXTERNAL", "--environment_config", f"127.0.0.1:{self.pool_port}"),
        ]

    def start(self, name: str) -> None:
        """Start `job_manager`, `task_manager_N` or `worker_pool`."""
        if name == "worker_pool":
            command = [sys.executable, "-m", _WORKER_POOL, "--service_port", str(self.pool_port)]
        else:
            main, heap = (_JOB_MANAGER, "256m") if name == "job_manager" else (_TASK_MANAGER, "448m")
            command = [*self._java(heap), main, "--configDir", str(self.folder)]
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        environment = {**os.environ, "PATH": path, **self.environment}
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, env=environment, start_new_session=True
            )

    def kill(self, name: str) -> None:
        """End it, and the workers of a pool, as a power cut would."""
        process = self.processes[name]
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=30)

    def await_slots(self, count: int) -> None:
        """Wait until task managers have offered so many."""
        deadline = time.monotonic() + _START_SECONDS
        while self.overview().get("slots-total") != count:
            assert all(each.poll() is None for each in self.processes.values()), self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.1)

    def overview(self) -> dict[str, Any]:
        """Of the job manager, or nothing while it does not answer."""
        try:
            return self.ask("/overview")
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return {}

    def running_jobs(self) -> list[str]:
        """Ids of the jobs that run."""
        return [each["id"] for each in self.ask("/jobs")["jobs"] if each["status"] == "RUNNING"]

    def ask(self, path: str, *, body: dict[str, Any] | None = None) -> Any:
        """An answer of the job manager's HTTP interface."""
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://{self.master}{path}", data=content, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return json.load(answer)

    def stop_with_savepoint(self, job: str) -> str:
        """End a job and give where its state lies."""
        return self._saved(job, self.ask(f"/jobs/{job}/stop", body={"drain": False})["request-id"])

    def save(self, job: str) -> str:
        """Let a job go on and give where its state lies."""
        return self._saved(job, self.ask(f"/jobs/{job}/savepoints", body={"cancel-job": False})["request-id"])

    def _saved(self, job: str, trigger: str) -> str:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            found = self.ask(f"/jobs/{job}/savepoints/{trigger}")
            if found["status"]["id"] == "COMPLETED":
                return str(found["operation"]["location"])
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.1)

    def log(self) -> str:
        """The end of what each part has told."""
        return "\n".join(
            f"--- {path.name}\n{path.read_text(errors='replace')[-2000:]}" for path in self.folder.glob("*.log")
        )

    def _java(self, heap: str) -> list[str]:
        opened = [f"--add-opens={each}=ALL-UNNAMED" for each in _OPENED.split()]
        return [self.java, f"-Xmx{heap}", "-XX:+UseSerialGC", _TIMED, *opened, "-cp", f"{self.jars}/*"]


@contextlib.contextmanager
def running_flink(
    folder: Path, *, environment: Mapping[str, str] | None = None, task_managers: int = 1, slots: int = 2
) -> Iterator[Cluster]:
    """A cluster, killed afterwards. Without Java or the jars: a reason to skip.

    Args:
        folder: for its files.
        environment: more variables for the Python workers, of which there is one for each task manager.
        task_managers: how many.
        slots: of each.
    """
    (java,) = require_programs("java")
    jars = jars_of(_POM)
    rpc, rest, pool = free_ports(3)
    (folder / "tmp").mkdir()
    (folder / "flink-conf.yaml").write_text(_CONFIG.format(rpc=rpc, rest=rest, folder=folder, slots=slots))
    _write_job_server(folder / "job_server.jar", jars)
    cluster = Cluster(folder, java, jars, rest, pool, environment or {})
    try:
        cluster.start("job_manager")
        for number in range(task_managers):
            cluster.start(f"task_manager_{number}")
        cluster.start("worker_pool")
        cluster.await_slots(slots * task_managers)
        yield cluster
    finally:
        for name in cluster.processes:
            cluster.kill(name)


def _write_job_server(file: Path, jars: Path) -> None:
    """One jar that Beam can start, which is nothing but a list of the others."""
    path = " ".join(each.as_uri() for each in sorted(jars.glob("*.jar")))
    lines = ["Manifest-Version: 1.0", f"Main-Class: {_JOB_SERVER}", f"Add-Opens: {_OPENED}", f"Class-Path: {path}"]
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", "".join(_folded(line) for line in lines) + "\r\n")


def _folded(line: str) -> str:
    """A line of a manifest, of which none may be longer than 72 bytes."""
    first, rest = line[:70], line[70:]
    parts = [rest[at : at + 69] for at in range(0, len(rest), 69)]
    return "\r\n ".join([first, *parts]) + "\r\n"
