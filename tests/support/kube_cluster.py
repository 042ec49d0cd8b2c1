"""What a cluster holds, and what its controllers make of it: rollouts that come about or fail, Jobs that run."""

import copy
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from support.kube_fields import Conflict, Object, Path, apply, conflicts, fields_v1, leaves, set_fields

Key = tuple[str, str, str]
"""Resource, namespace ("" of what has none) and name."""
Run = Callable[[list[str]], tuple[int, str]]
"""What a container's command comes to: exit code and log."""


class RefusedError(Exception):
    """What the API answers in place of an object."""

    def __init__(self, code: int, reason: str, message: str, causes: list[Object] | None = None) -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.causes = code, reason, message, causes or []


@dataclass
class Cluster:
    """Objects, who owns their fields, and every change in order.

    Attributes:
        run: how commands of Jobs are run.
        failing: names of Deployments, or texts in their images, whose rollout fails.
        held: names of Deployments whose rollout does not get on until `let_go`.
        denied: (verb, resource) that the caller may not.
        granted: whether the caller may do something: verb, resource with its part, name.
    """

    run: Run = lambda command: (0, f"{' '.join(command)}: done\n")
    failing: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)
    denied: set[tuple[str, str]] = field(default_factory=set)
    granted: Callable[[str, str, str], bool] = lambda _verb, _resource, _name: True
    objects: dict[Key, Object] = field(default_factory=dict)
    owners: dict[Key, dict[str, set[Path]]] = field(default_factory=dict)
    logs: dict[tuple[str, str], str] = field(default_factory=dict)
    events: list[tuple[int, str, Key, Object]] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    is_closed: bool = False
    _versions: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _threads: list[threading.Thread] = field(default_factory=list)

    def may(self, verb: str, resource: str, name: str) -> bool:
        return (verb, resource) not in self.denied and self.granted(verb, resource, name)

    def get(self, key: Key) -> Object:
        if key not in self.objects:
            raise RefusedError(404, "NotFound", f'{key[0]} "{key[2]}" not found')
        return self.objects[key]

    def every(self, resource: str, namespace: str) -> list[Object]:
        return [
            each for (kind, place, _), each in self.objects.items() if kind == resource and namespace in {"", place}
        ]

    def create(self, key: Key, body: Object, *, manager: str, dry_run: bool) -> Object:
        if key in self.objects:
            raise RefusedError(409, "AlreadyExists", f'{key[0]} "{key[2]}" already exists')
        owners = {manager: set(set_fields(body))}
        return self._write(key, None, copy.deepcopy(body), owners, dry_run=dry_run)

    def apply(self, key: Key, config: Object, *, manager: str, force: bool, dry_run: bool) -> Object:
        """Server-side apply; another manager's field with another value is a conflict."""
        live, owners = self.objects.get(key), copy.deepcopy(self.owners.get(key, {}))
        found = conflicts(live or {}, config, manager=manager, owners=owners)
        if found and not force:
            raise RefusedError(409, "Conflict", _told(found), [_cause(each) for each in found])
        base = live or {"apiVersion": config["apiVersion"], "kind": config["kind"], "metadata": {"name": key[2]}}
        return self._write(
            key, live, apply(base, config, manager=manager, owners=owners), owners, dry_run=dry_run, by_apply=True
        )

    def update(self, key: Key, body: Object, *, manager: str, dry_run: bool) -> Object:
        """Replace an object: what changes belongs to `manager` from now on."""
        live, owners = self.get(key), copy.deepcopy(self.owners[key])
        before, after = dict(leaves(live, kind=body["kind"])), set_fields(body)
        taken = {path for path, value in after.items() if before.get(path, value) != value or path not in before}
        for owned in owners.values():
            owned.difference_update(taken)
        owners.setdefault(manager, set()).update(taken)
        return self._write(key, live, copy.deepcopy(body), owners, dry_run=dry_run)

    def delete(self, key: Key) -> Object:
        found = self.get(key)
        del self.objects[key], self.owners[key]
        self._tell("DELETED", key, found)
        uid = found["metadata"]["uid"]
        for other, each in list(self.objects.items()):
            if any(owner["uid"] == uid for owner in each["metadata"].get("ownerReferences", ())):
                self.delete(other)
        return found

    def let_go(self, name: str) -> None:
        """Let a rollout that was held go on."""
        with self.changed:
            self.held.discard(name)
            for key, each in list(self.objects.items()):
                if key[0] == "deployments" and key[2] == name:
                    self._roll_out(key, each)

    def close(self) -> None:
        with self.changed:
            self.is_closed = True
            self.changed.notify_all()
        for thread in self._threads:
            thread.join(30)

    def find(self, resource: str, name: str) -> Object:
        """The one object of that name, in whatever namespace."""
        with self.changed:
            (found,) = (each for (kind, _, called), each in self.objects.items() if (kind, called) == (resource, name))
            return copy.deepcopy(found)

    def names(self, resource: str) -> set[str]:
        with self.changed:
            return {name for kind, _, name in self.objects if kind == resource}

    def wait(self, what: Callable[[], bool], *, within: float = 30) -> None:
        """Wait until something holds of the objects."""
        with self.changed:
            assert self.changed.wait_for(what, within), "it did not come true"

    def _await_more(self, seen: int, *, deadline: float) -> None:
        self.changed.wait_for(lambda: self.is_closed or len(self.events) > seen, deadline - time.monotonic())

    def _write(
        self,
        key: Key,
        live: Object | None,
        new: Object,
        owners: dict[str, set[Path]],
        *,
        dry_run: bool,
        by_apply: bool = False,
    ) -> Object:
        meta = new.setdefault("metadata", {})
        meta["name"] = key[2]
        if key[1]:
            meta["namespace"] = key[1]
        old = {} if live is None else live["metadata"]
        meta["uid"] = old.get("uid") or f"00000000-0000-4000-8000-{next(self._versions):012d}"
        meta["creationTimestamp"] = old.get("creationTimestamp") or _now()
        is_new_spec = live is None or live.get("spec") != new.get("spec")
        meta["generation"] = old.get("generation", 0) + is_new_spec
        meta["managedFields"] = [
            {
                "manager": name,
                "operation": "Apply" if by_apply else "Update",
                "apiVersion": new["apiVersion"],
                "fieldsType": "FieldsV1",
                "fieldsV1": fields_v1(owned),
            }
            for name, owned in owners.items()
            if owned
        ]
        same = live is not None and _without_version(live) == _without_version(new)
        if dry_run or same:
            meta["resourceVersion"] = old.get("resourceVersion", "0")
            if same and not dry_run:
                self.owners[key] = owners
            return new
        meta["resourceVersion"] = str(next(self._versions))
        self.objects[key], self.owners[key] = new, owners
        self._tell("ADDED" if live is None else "MODIFIED", key, new)
        if key[0] in {"deployments", "statefulsets"} and is_new_spec:
            self._roll_out(key, new)
        if key[0] == "flinkdeployments" and is_new_spec:
            fails = key[2] in self.failing
            self.set_status(key, {"lifecycleState": "FAILED" if fails else "STABLE", "error": "no job manager"})
        if key[0] == "jobs" and live is None:
            self._start_job(key, new)
        return self.objects.get(key, new)

    def _tell(self, kind: str, key: Key, body: Object) -> None:
        self.events.append((int(body["metadata"]["resourceVersion"]), kind, key, copy.deepcopy(body)))
        self.changed.notify_all()

    def set_status(self, key: Key, status: Object) -> None:
        """What a controller says of an object."""
        body = copy.deepcopy(self.objects[key])
        body["status"] = status
        body["metadata"]["resourceVersion"] = str(next(self._versions))
        self.objects[key] = body
        self._tell("MODIFIED", key, body)

    def _roll_out(self, key: Key, body: Object) -> None:
        wanted = body["spec"].get("replicas", 1)
        begun = {"observedGeneration": body["metadata"]["generation"], "replicas": wanted, "updatedReplicas": 0}
        self.set_status(key, {**begun, "availableReplicas": wanted, "unavailableReplicas": 0})
        if key[2] in self.held:
            return
        images = [each["image"] for each in body["spec"]["template"]["spec"]["containers"]]
        fails = any(each == key[2] or any(each in image for image in images) for each in self.failing)
        self._make_pods(key, body, fails=fails)
        done = {**begun, "updatedReplicas": wanted, "readyReplicas": 0 if fails else wanted}
        condition = {
            "type": "Progressing",
            "status": "False" if fails else "True",
            "reason": "ProgressDeadlineExceeded" if fails else "NewReplicaSetAvailable",
            "message": "has timed out progressing" if fails else "has successfully progressed",
        }
        self.set_status(
            key,
            {
                **done,
                "availableReplicas": 0 if fails else wanted,
                "unavailableReplicas": wanted if fails else 0,
                "conditions": [condition],
                "currentRevision": "1",
                "updateRevision": "1",
            },
        )

    def _make_pods(self, key: Key, body: Object, *, fails: bool) -> None:
        for old in [each for each in self.objects if each[0] == "pods" and each[2].startswith(f"{key[2]}-0")]:
            self.delete(old)
        template = body["spec"]["template"]
        name = f"{key[2]}-0{body['metadata']['generation']}"
        waiting = {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}
        state = {"waiting": waiting} if fails else {"running": {"startedAt": _now()}}
        self._pod(("pods", key[1], name), template, [{"name": "any", "ready": not fails, "state": state}])

    def _pod(self, key: Key, template: Object, statuses: list[Object]) -> None:
        pod = {"apiVersion": "v1", "kind": "Pod", **copy.deepcopy(template)}
        self.objects.pop(key, None)
        self.create(key, pod, manager="controller", dry_run=False)
        self.set_status(key, {"phase": "Running", "containerStatuses": statuses})

    def _start_job(self, key: Key, body: Object) -> None:
        template = copy.deepcopy(body["spec"]["template"])
        owner = {"apiVersion": "batch/v1", "kind": "Job", "name": key[2], "uid": body["metadata"]["uid"]}
        template["metadata"] = {
            "labels": {**template.get("metadata", {}).get("labels", {}), "batch.kubernetes.io/job-name": key[2]},
            "ownerReferences": [owner],
        }
        pod = ("pods", key[1], f"{key[2]}-xyz12")
        containers = [*template["spec"].get("initContainers", ()), *template["spec"]["containers"]]
        self._pod(pod, template, [{"name": each["name"], "state": {"running": {}}} for each in containers])
        self.set_status(key, {"active": 1})
        thread = threading.Thread(target=self._work, args=(key, pod, containers), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self, job: Key, pod: Key, containers: list[Object]) -> None:
        code, statuses = 0, []
        for each in containers:
            code, log = self.run([*each.get("command", []), *each.get("args", [])])
            statuses.append({"name": each["name"], "state": {"terminated": {"exitCode": code}}})
            with self.changed:
                self.logs[pod[1], pod[2]] = self.logs.get((pod[1], pod[2]), "") + log
            if code:
                break
        with self.changed:
            if self.is_closed or job not in self.objects:
                return
            self.set_status(pod, {"phase": "Failed" if code else "Succeeded", "containerStatuses": statuses})
            state = {"failed": 1} if code else {"succeeded": 1}
            kind = "Failed" if code else "Complete"
            self.set_status(job, {**state, "conditions": [{"type": kind, "status": "True", "reason": "Ended"}]})

    def log(self, namespace: str, name: str, *, follow: bool) -> str:
        """What a pod wrote, all of it where it is followed to its end."""
        pod = ("pods", namespace, name)

        def has_ended() -> bool:
            return self.is_closed or self.get(pod).get("status", {}).get("phase") in {"Failed", "Succeeded"}

        if follow:
            self.changed.wait_for(has_ended, 60)
        return self.logs.get((namespace, name), "")

    def watch(
        self,
        matches: Callable[[Key, Object], bool],
        *,
        since: int | None,
        seconds: float,
        bookmark: Object | None = None,
    ) -> Iterator[Object]:
        """Events as they come; without `since` what is there comes first, and then the bookmark if one is wanted."""
        deadline, seen = time.monotonic() + seconds, len(self.events)
        with self.changed:
            if since is None:
                first = [{"type": "ADDED", "object": each} for key, each in self.objects.items() if matches(key, each)]
            else:
                seen, first = next((at for at, each in enumerate(self.events) if each[0] > since), seen), []
        yield from first
        if bookmark is not None:
            done = {"resourceVersion": str(self.events[-1][0]), "annotations": {"k8s.io/initial-events-end": "true"}}
            yield {"type": "BOOKMARK", "object": {**bookmark, "metadata": done}}
        while not self.is_closed and time.monotonic() < deadline:
            with self.changed:
                self._await_more(seen, deadline=deadline)
                fresh, seen = self.events[seen:], len(self.events)
            for _, kind, key, body in fresh:
                if matches(key, body):
                    yield {"type": kind, "object": body}


def _without_version(body: Object) -> Any:
    meta = {name: value for name, value in body["metadata"].items() if name != "resourceVersion"}
    return {**body, "metadata": meta}


def _told(found: list[Conflict]) -> str:
    listed = "; ".join(f'conflict with "{each.manager}": {each.field}' for each in found)
    return f"Apply failed with {len(found)} conflicts: {listed}"


def _cause(found: Conflict) -> Object:
    return {
        "reason": "FieldManagerConflict",
        "message": f'conflict with "{found.manager}"',
        "field": found.field,
    }


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
