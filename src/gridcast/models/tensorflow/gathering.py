"""Workers wait for each other here before TensorFlow connects them: it would wait for ever, and for whomever."""

import contextlib
import json
import socket
import time
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

from gridcast.domain.errors import GridcastError
from gridcast.models.tensorflow.cluster import Cluster

LONGEST_WAIT = timedelta(minutes=5)
"""Until all workers are there: each loads the history first, and pods do not start at once."""
_LOOKS_EVERY = 0.5
_SPEAKS_WITHIN = 5.0
_LONGEST_LINE = 4096


def gather(cluster: Cluster, *, purpose: str, within: timedelta = LONGEST_WAIT) -> None:
    """Return once every worker of a cluster is there for the same `purpose`.

    The chief listens at its address, which is free again afterwards. Workers with other data, settings or versions
    would learn nonsense together, or wait for each other for ever: `purpose` must differ where these do.

    Raises:
        GridcastError: somebody is missing after `within`, or has another purpose.
    """
    deadline = time.monotonic() + within.total_seconds()
    if cluster.is_chief:
        _receive(cluster, purpose=purpose, deadline=deadline)
    else:
        _report(cluster, purpose=purpose, deadline=deadline)


def _receive(cluster: Cluster, *, purpose: str, deadline: float) -> None:
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(_listen(cluster.addresses[0]))
        there: dict[int, socket.socket] = {}
        while len(there) < len(cluster.addresses) - 1:
            cluster.check()
            if time.monotonic() > deadline:
                raise _missing(cluster, there)
            with contextlib.suppress(TimeoutError):
                connection = stack.enter_context(listening.accept()[0])
                hello = _read(connection, within=_SPEAKS_WITHIN)
                if hello.get("worker") in range(1, len(cluster.addresses)):
                    there[hello["worker"]] = connection
                    _require_same(purpose, hello, told=there.values())
        _tell(there.values(), {"go": True})


def _require_same(purpose: str, hello: Mapping[str, Any], *, told: Collection[socket.socket]) -> None:
    if hello.get("purpose") == purpose:
        return
    problem = (
        f"worker {hello['worker']} came to train {hello.get('purpose')}, the chief {purpose}; expected the same data, "
        "settings and version of gridcast. Give every worker the same configuration and the same clean history."
    )
    _tell(told, {"go": False, "because": problem})
    raise GridcastError(problem)


def _missing(cluster: Cluster, there: Collection[int]) -> GridcastError:
    missing = [f"{rank} ({at})" for rank, at in enumerate(cluster.addresses) if rank and rank not in there]
    return GridcastError(
        f"of {len(cluster.addresses)} workers, {', '.join(missing)} did not come in time; expected all at the "
        "addresses in TF_CONFIG. See what they say, and start all of them again."
    )


def _report(cluster: Cluster, *, purpose: str, deadline: float) -> None:
    host, _, port = cluster.addresses[0].rpartition(":")
    answer: Mapping[str, Any] = {}
    while not answer:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise GridcastError(
                f"worker {cluster.rank}: no answer from the chief at {cluster.addresses[0]}; expected it to be there "
                "in time, and all other workers too. See what it says, and start all of them again."
            )
        try:
            with socket.create_connection((host, int(port)), timeout=_SPEAKS_WITHIN) as connection:
                _tell([connection], {"worker": cluster.rank, "purpose": purpose})
                answer = _read(connection, within=remaining)
        except OSError:
            time.sleep(_LOOKS_EVERY)
    if not answer.get("go"):
        raise GridcastError(str(answer.get("because")))


def _listen(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    try:
        listening = socket.create_server(("127.0.0.1" if host == "127.0.0.1" else "", int(port)))
    except OSError as error:
        raise GridcastError(
            f"{address}: nothing can listen there ({error.strerror}); expected a free port of this machine as the "
            "first address in TF_CONFIG. Choose another one."
        ) from error
    listening.settimeout(_LOOKS_EVERY)
    return listening


def _read(connection: socket.socket, *, within: float) -> Mapping[str, Any]:
    """The JSON object on the next line; empty if none came in time."""
    connection.settimeout(within)
    with contextlib.suppress(OSError, ValueError), connection.makefile("r", encoding="utf-8") as lines:
        facts = json.loads(lines.readline(_LONGEST_LINE))
        return facts if isinstance(facts, dict) else {}
    return {}


def _tell(connections: Collection[socket.socket], facts: Mapping[str, Any]) -> None:
    for connection in connections:
        with contextlib.suppress(OSError):
            connection.sendall(f"{json.dumps(facts)}\n".encode())
