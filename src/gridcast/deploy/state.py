"""What runs in a namespace."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from gridcast.deploy.connection import Connection
from gridcast.deploy.errors import RefusedError, RolloutError
from gridcast.deploy.manifests import Manifest, Ref
from gridcast.deploy.rollout import is_done

_OURS: Final = "app.kubernetes.io/part-of=gridcast"
WORKLOADS: Final = (
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("flink.apache.org/v1beta1", "FlinkDeployment"),
    ("batch/v1", "CronJob"),
)


def workloads(connection: Connection, namespace: str) -> Iterator[dict[str, Any]]:
    """Every workload: kind, name, ready of wanted, state and images."""
    for api_version, kind in WORKLOADS:
        try:
            found = connection.every(Ref(api_version, kind, namespace, ""), labelSelector=_OURS)
        except RefusedError as refused:
            if refused.status != 404:
                raise
            continue
        for body in found:
            images = ", ".join(sorted({each.rpartition("/")[2] for each in Manifest(body).images}))
            yield {"kind": kind, "name": body["metadata"]["name"], **_state(body), "images": images}


def _state(body: Mapping[str, Any]) -> dict[str, str]:
    status = body.get("status") or {}
    if body["kind"] == "CronJob":
        ended = status.get("lastSuccessfulTime") or "never"
        state = "suspended" if body["spec"].get("suspend") else f"last done: {ended}"
        return {"ready": "", "state": state}
    wanted = body["spec"].get("replicas", 1)
    ready = "" if body["kind"] == "FlinkDeployment" else f"{status.get('readyReplicas') or 0}/{wanted}"
    try:
        return {"ready": ready, "state": "runs" if is_done(body) else "not yet"}
    except RolloutError as error:
        return {"ready": ready, "state": str(error)}
