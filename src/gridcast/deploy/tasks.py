"""Commands of gridcast that are run in the cluster, as Jobs."""

import copy
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from gridcast.deploy.connection import Connection
from gridcast.deploy.errors import RolloutError
from gridcast.deploy.manifests import Manifest, Ref
from gridcast.deploy.rollout import complaints

TEMPLATE: Final = "gridcast-task"
"""The CronJob, never due, whose Jobs these are."""
_STARTS_WITHIN: Final = timedelta(minutes=10)
_ENDS_WITHIN: Final = timedelta(hours=8)
_JOB: Final = "batch.kubernetes.io/job-name"

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class TaskResult:
    """How a command ended, and what it printed."""

    command: tuple[str, ...]
    code: int
    lines: tuple[str, ...]

    @property
    def last_line(self) -> str:
        """What it said in the end."""
        return next((line for line in reversed(self.lines) if line.strip()), "")


def run_task(connection: Connection, template: Manifest, command: Sequence[str], *, tell: Tell) -> TaskResult:
    """Run `gridcast` with `command` as a Job of the template, and follow it to its end.

    A Job that made a key is deleted at once, with its log.

    Raises:
        RolloutError: it does not start, or is not there any more.
    """
    job = connection.create(_job(template, command))
    ref = Ref("batch/v1", "Job", template.ref.namespace, job["metadata"]["name"])
    pod = _started(connection, ref)
    lines = []
    for line in connection.log(ref.namespace, pod):
        lines.append(line)
        tell(line)
    _wait(connection, ref)
    code = _code(connection, ref, pod)
    if command[0] == "key":
        connection.delete(ref)
    return TaskResult(tuple(command), code, tuple(lines))


def require_success(result: TaskResult) -> TaskResult:
    """The result of a command that has to end well.

    Raises:
        RolloutError: it did not.
    """
    if result.code:
        raise RolloutError(
            f"gridcast {' '.join(result.command)} ended with code {result.code} in the cluster: {result.last_line}"
        )
    return result


def template_in(connection: Connection, namespace: str) -> Manifest:
    """The template as it is in the cluster.

    Raises:
        RolloutError: there is none.
    """
    found = connection.get(Ref("batch/v1", "CronJob", namespace, TEMPLATE))
    if found is None:
        raise RolloutError(
            f"namespace {namespace} has no CronJob {TEMPLATE}; expected an installation. "
            'Run "gridcast deploy apply" first.'
        )
    return Manifest(found)


def _job(template: Manifest, command: Sequence[str]) -> Manifest:
    spec: dict[str, Any] = copy.deepcopy(template.body["spec"]["jobTemplate"]["spec"])
    (container,) = spec["template"]["spec"]["containers"]
    container["command"] = ["gridcast", *command]
    container.pop("args", None)
    meta = {
        "name": f"{TEMPLATE}-{secrets.token_hex(4)}",
        "namespace": template.ref.namespace,
        "labels": dict(template.body["metadata"].get("labels", {})),
        "annotations": {"gridcast-command": " ".join(command)},
    }
    return Manifest({"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": spec})


def _started(connection: Connection, job: Ref) -> str:
    """The name of its pod, once that runs or has run."""
    told = ""
    until = time.monotonic() + _STARTS_WITHIN.total_seconds()
    for pod in connection.watch(Ref("v1", "Pod", job.namespace, ""), until=until, labelSelector=f"{_JOB}={job.name}"):
        if (pod.get("status") or {}).get("phase") in {"Running", "Succeeded", "Failed"}:
            return str(pod["metadata"]["name"])
        told = "; ".join(complaints(pod))
        if "Pull" in told or "InvalidImage" in told or "CreateContainerConfigError" in told:
            break
    raise RolloutError(f"{job} did not start{f': {told}' if told else ''}.")


def _wait(connection: Connection, job: Ref) -> None:
    until = time.monotonic() + _ENDS_WITHIN.total_seconds()
    for body in connection.watch(job, until=until):
        conditions = (body.get("status") or {}).get("conditions") or ()
        if any(each["type"] in {"Complete", "Failed"} and each["status"] == "True" for each in conditions):
            return
    raise RolloutError(f"{job} did not end within {_ENDS_WITHIN}.")


def _code(connection: Connection, job: Ref, pod: str) -> int:
    found = connection.get(Ref("v1", "Pod", job.namespace, pod))
    ended = [
        each["state"].get("terminated") for each in ((found or {}).get("status") or {}).get("containerStatuses", ())
    ]
    if not ended or ended[0] is None:
        raise RolloutError(f"{job}: its pod {pod} was taken away before it ended; expected it to run to its end.")
    return int(ended[0]["exitCode"])
