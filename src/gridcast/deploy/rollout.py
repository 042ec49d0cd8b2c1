"""Whether what was applied comes about."""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from gridcast.deploy.connection import Connection
from gridcast.deploy.errors import RefusedError, RolloutError
from gridcast.deploy.manifests import Manifest, Ref

WAITED_FOR: Final = frozenset({"Deployment", "StatefulSet", "FlinkDeployment"})
"""Kinds that run, or come to nothing."""
_LAST_LINES: Final = 5


def wait_for(connection: Connection, manifests: Sequence[Manifest], *, within: timedelta) -> list[Ref]:
    """Wait until every workload among the manifests runs as described; which they are.

    Raises:
        RolloutError: one of them does not come about.
    """
    until = time.monotonic() + within.total_seconds()
    waited = [each.ref for each in manifests if each.ref.kind in WAITED_FOR]
    for ref in waited:
        _wait(connection, ref, until=until, within=within)
    return waited


def is_done(body: Mapping[str, Any]) -> bool:
    """Whether a workload runs as it is described.

    Raises:
        RolloutError: its controller has given up.
    """
    status, spec = body.get("status") or {}, body["spec"]
    if body["kind"] == "FlinkDeployment":
        state = status.get("lifecycleState")
        if state == "FAILED":
            raise RolloutError(f"FlinkDeployment {body['metadata']['name']}: {status.get('error') or 'failed'}")
        return state == "STABLE"
    if status.get("observedGeneration", 0) < body["metadata"]["generation"]:
        return False
    for each in status.get("conditions", ()):
        if each["type"] == "Progressing" and each.get("reason") == "ProgressDeadlineExceeded":
            raise RolloutError(f"{body['kind']} {body['metadata']['name']}: {each.get('message')}")
    wanted = spec.get("replicas", 1)
    counts = ("updatedReplicas", "replicas", "availableReplicas" if body["kind"] == "Deployment" else "readyReplicas")
    return all((status.get(each) or 0) == wanted for each in counts)


def _wait(connection: Connection, ref: Ref, *, until: float, within: timedelta) -> None:
    try:
        for body in connection.watch(ref, until=until):
            if is_done({"kind": ref.kind, **body}):
                return
    except RolloutError as error:
        raise RolloutError(f"{error}{_why(connection, ref)}.") from error
    raise RolloutError(f"{ref} does not run as described after {within}{_why(connection, ref)}.")


def _why(connection: Connection, ref: Ref) -> str:
    """What its pods complain of, with the last lines they wrote."""
    body = connection.get(ref) or {}
    labels = body.get("spec", {}).get("selector", {}).get("matchLabels", {})
    if not labels:
        return ""
    selector = ",".join(f"{name}={value}" for name, value in labels.items())
    pods = connection.every(Ref("v1", "Pod", ref.namespace, ""), labelSelector=selector)
    told = [f"; pod {pod['metadata']['name']}: {complaint}" for pod in pods for complaint in complaints(pod)]
    lines = [line for pod in pods[:1] if told for line in _last_lines(connection, pod)]
    return "".join(told[:2]) + (f"; it wrote: {' | '.join(lines)}" if lines else "")


def complaints(pod: Mapping[str, Any]) -> Iterator[str]:
    """Why containers of a pod do not run."""
    status = pod.get("status") or {}
    for each in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        waiting = each["state"].get("waiting")
        if waiting and waiting.get("reason") not in {"ContainerCreating", "PodInitializing", None}:
            yield f"{waiting['reason']} ({waiting.get('message') or each['name']})"
        ended = each["state"].get("terminated") or {}
        if ended.get("exitCode"):
            yield f"{each['name']} ended with code {ended['exitCode']}"
    for each in status.get("conditions") or ():
        if each["type"] == "PodScheduled" and each["status"] == "False":
            yield each.get("message") or "no node has room for it"


def _last_lines(connection: Connection, pod: Mapping[str, Any]) -> list[str]:
    with contextlib.suppress(RefusedError):
        name = pod["metadata"]["name"]
        return list(connection.log(pod["metadata"]["namespace"], name, lines=_LAST_LINES))
    return []
