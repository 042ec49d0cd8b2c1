"""Workers on this machine that learn together with this process."""

import contextlib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from gridcast.domain.errors import GridcastError
from gridcast.models.tensorflow.cluster import TF_CONFIG, Cluster, tf_config

_SECONDS_TO_END = 10.0
_SECONDS_TO_BLAME = 2.0
_LAST_WORDS = 300


@dataclass(frozen=True, slots=True, eq=False)
class Worker:
    """A process that learns along, and the file it complains to."""

    rank: int
    process: subprocess.Popen[bytes]
    complaints: IO[bytes]

    def last_words(self) -> str:
        """How it ended, and what it said."""
        self.complaints.seek(0)
        said = self.complaints.read().decode(errors="replace").strip()[-_LAST_WORDS:]
        return f"worker {self.rank} ended with exit code {self.process.returncode}{f', saying: {said}' if said else ''}"


@contextlib.contextmanager
def local_workers(count: int, *, command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Cluster]:
    """`count` workers on this machine: this process is their chief, the others run `command`; none outlives the block.

    Raises:
        GridcastError: the block failed, and a worker that had ended is to blame.
    """
    addresses = _free_addresses(count)
    with contextlib.ExitStack() as stack:
        workers: list[Worker] = []
        stack.callback(_end, workers)
        for rank in range(1, count):
            complaints = stack.enter_context(tempfile.TemporaryFile())
            told = {**environment, TF_CONFIG: tf_config(addresses, rank=rank)}
            process = subprocess.Popen(
                command, env=told, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=complaints
            )
            workers.append(Worker(rank, process, complaints))
        try:
            yield Cluster(addresses, 0, lambda: _require_alive(workers))
        except GridcastError:
            _wait_for_the_one_to_blame(workers)
            _require_alive(workers)
            raise


def _require_alive(workers: Sequence[Worker]) -> None:
    failed = [each for each in workers if each.process.poll()]
    if failed:
        raise GridcastError(
            f"{'; '.join(each.last_words() for each in failed)}. Expected all workers to learn until the end. Mend the "
            "cause and run the command again: training goes on after the last whole epoch."
        )


def _free_addresses(count: int) -> tuple[str, ...]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return tuple(f"127.0.0.1:{each.getsockname()[1]}" for each in sockets)


def _wait_for_the_one_to_blame(workers: Sequence[Worker]) -> None:
    deadline = time.monotonic() + _SECONDS_TO_BLAME
    while time.monotonic() < deadline and not any(each.process.poll() for each in workers):
        time.sleep(0.05)


def _end(workers: Sequence[Worker]) -> None:
    for each in workers:
        each.process.terminate()
    for each in workers:
        try:
            each.process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            each.process.kill()
            each.process.wait()
